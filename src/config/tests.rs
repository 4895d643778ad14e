//! Settings as people write them, wrongly too.

use figment::error::Kind;

use super::*;
use crate::sip::{CallerIdPolicy, PublicAddress};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.toml");

fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let home = [("HOME", "/home/ada")];
    home.iter().chain(pairs).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Settings of a file with this text, and of these variables.
fn load(text: &str, pairs: &[(&str, &str)]) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trunkline.toml");
    std::fs::write(&file, text).unwrap();
    let loaded = Config::from_sources(Some(&file), &environment(pairs));
    // The folder's own name is random.
    loaded.map_err(|error| error.to_string().replace(&format!("{}/", folder.path().display()), ""))
}

/// The same fault without line and column, which have a test of their own.
fn load_somewhere(text: &str, pairs: &[(&str, &str)]) -> Result<Config, String> {
    load(text, pairs).map_err(|error| match error.strip_prefix("trunkline.toml:") {
        Some(rest) => {
            format!("trunkline.toml:{}", rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':'))
        }
        None => error,
    })
}

#[test]
fn a_fault_is_shown_with_line_and_column() {
    let peers = "[[peer]]\nname = \"a\"\naddresses = [\"192.0.2.7\"]\n";
    let trunk = "[[trunk]]\nname = \"c\"\nuri = \"sip:c.example\"\n";
    let rows = [
        ("[sip]\n  listn = \"x\"".to_owned(), "2:3: sip.listn is not a setting"),
        ("\n[sip]\nmax_calls = 0".to_owned(), "3:1: sip.max_calls is 0"),
        ("[sip]\nmax_calls = \"many\"".to_owned(), "2:1: sip.max_calls is string"),
        (format!("{peers}digest = [\"md4\"]"), "4:11: [[peer]] number 1, digest number 1 is \"md4\"; it must be one of"),
        (format!("{peers}digest = [\"md5\"]"), "4:1: [[peer]] \"a\" has digest, but no username and password"),
        (
            format!("{peers}username = \"u\"\npassword = \"p\"\ndigest = []"),
            "6:1: [[peer]] \"a\": digest is empty",
        ),
        (
            "[sip]\ndigest = [\"sha-256\"]\n[[peer]]\nname = \"a\"\nusername = \"u\"\npassword = \"p\"\ndigest = [\"md5\"]"
                .to_owned(),
            "7:1: [[peer]] \"a\" has no addresses, so it is asked like any stranger, by sip.digest, which lacks \"md5\"",
        ),
        (format!("{peers}caller_id = \"maybe\""), "4:1: [[peer]] number 1, caller_id is \"maybe\"; it must be one of"),
        (format!("{peers}trust_identity = true"), "4:1: [[peer]] number 1, trust_identity is not a setting; known there"),
        (format!("{peers}username = \"u\""), "4:1: [[peer]] \"a\" has a username but no password"),
        (format!("{trunk}public_address = \"nat\""), "4:1: [[trunk]] number 1, public_address is wrong: \"nat\" is no"),
        (format!("{trunk}public_address = \"0.0.0.0\""), "4:1: [[trunk]] number 1, public_address is wrong"),
        (format!("{trunk}public_address = \"learn\""), "4:1: [[trunk]] \"c\": public_address is learnt from answers"),
        (
            format!("{trunk}[[route]]\nnumber = \"1\"\nplan = \"a\"\nfrom = \"d\""),
            "7:1: [[route]] \"1\" is for calls from \"d\", which is no [[peer]] or [[trunk]]",
        ),
        (
            format!("{trunk}[[route]]\nnumber = \"1\"\nplan = \"a\"\nfrom = \"locla\""),
            "7:1: [[route]] \"1\" is for calls from \"locla\", which is no [[peer]] or [[trunk]]; did you mean \"local\"?",
        ),
        ("[[route]]\nnumber = \"*\"\n".to_owned(), "1:1: [[route]] number 1 lacks `plan`"),
    ];
    for (text, expect) in rows {
        let error = load(&text, &[]).expect_err(&text);
        let expect = format!("trunkline.toml:{expect}");
        assert!(error.starts_with(&expect), "{text}\n  says    {error}\n  expected {expect}");
    }
}

#[test]
fn peers_trunks_and_routes_have_rules_of_their_own() {
    let text = r#"
        [[peer]]
        name = "phone"
        username = "ann"
        password = "pass"
        digest = ["md5"]
        [[peer]]
        name = "pbx"
        addresses = ["192.0.2.7"]
        caller_id = "asserted"
        [[trunk]]
        name = "carrier"
        uri = "sip:carrier.example"
        ping = "25s"
        public_address = "learn"
        [[trunk]]
        name = "other"
        uri = "sip:other.example"
        public_address = "203.0.113.10:5070"
        [[route]]
        number = "*"
        plan = "/anybody.yaml"
        [[route]]
        number = "*"
        from = "carrier"
        plan = "/carrier.yaml"
        [[route]]
        number = "1000"
        from = "pbx"
        plan = "/pbx.yaml"
    "#;
    let config = load(text, &[]).unwrap();
    assert_eq!(config.peers[0].digest, Some(vec![Algorithm::Md5]));
    assert_eq!(
        config.peers.iter().map(|peer| peer.caller_id).collect::<Vec<_>>(),
        [CallerIdPolicy::From, CallerIdPolicy::Asserted]
    );
    let fixed = PublicAddress::Fixed([203, 0, 113, 10].into(), Some(5070));
    assert_eq!([config.trunks[0].public_address, config.trunks[1].public_address], [PublicAddress::Learn, fixed]);
    for (number, peer, plan) in [
        ("1000", "phone", "/anybody.yaml"),
        ("1000", "carrier", "/carrier.yaml"),
        ("1000", "pbx", "/pbx.yaml"),
        ("1001", "pbx", "/anybody.yaml"),
    ] {
        let route = config.route_for(number, peer).map(|route| route.plan.as_path());
        assert_eq!(route, Some(Path::new(plan)), "{number} called by {peer}");
    }
}

#[test]
fn without_file_or_variables_everything_is_default_and_nobody_outside_can_call() {
    let config = Config::from_sources(None, &environment(&[])).unwrap();
    assert_eq!(config, Config { data_dir: "/home/ada/.local/share/trunkline".into(), ..Config::default() });
    assert!(config.sip.listen.ip().is_loopback() && config.rtp.address.is_loopback());
    assert!(config.peers.iter().flat_map(|peer| &peer.addresses).all(|network| network.address.is_loopback()));
    assert_eq!(config.recordings_dir(), Path::new("/home/ada/.local/share/trunkline/recordings"));
}

#[test]
fn the_data_directory_follows_xdg() {
    let of = |pairs: &[(&str, &str)]| source::default_data_dir(&environment(pairs));
    assert_eq!(of(&[("XDG_DATA_HOME", "/data")]), Path::new("/data/trunkline"));
    assert_eq!(of(&[("XDG_DATA_HOME", "relative")]), Path::new("/home/ada/.local/share/trunkline"));
    assert_eq!(source::default_data_dir(&BTreeMap::new()), Path::new("trunkline-data"));
}

#[test]
fn a_file_sets_what_it_names_and_leaves_the_rest() {
    let text = r#"
        max_call = "10m"
        [sip]
        listen = "192.0.2.1:5070"
        advertise = "198.51.100.9"
        [[peer]]
        name = "carrier"
        addresses = ["203.0.113.0/24", "2001:db8::1"]
        [[route]]
        number = "+1202*"
        plan = "plans/washington.yaml"
        [privacy]
        numbers = "last4"
    "#;
    let config = load(text, &[]).unwrap();
    assert_eq!(config.sip.listen, "192.0.2.1:5070".parse().unwrap());
    assert_eq!((config.max_call, config.rtp.timeout), (Duration::from_secs(600), Duration::from_secs(20)));
    assert_eq!(config.media_address(), "198.51.100.9".parse::<IpAddr>().unwrap());
    assert_eq!(config.privacy.numbers, KeepNumbers::Last4);
    assert_eq!(config.peers.len(), 1, "peers named replace the default one");
    assert!(config.peers[0].addresses[0].contains("203.0.113.200".parse().unwrap()));
    assert!(config.routes[0].plan.is_absolute() && config.routes[0].plan.ends_with("plans/washington.yaml"));
}

#[test]
fn variables_win_over_the_file() {
    let variables = [
        ("TRUNKLINE_SIP__LISTEN", "127.0.0.1:5099"),
        ("TRUNKLINE_SIP__MAX_CALLS", "7"),
        ("TRUNKLINE_RTP__TIMEOUT", "3s"),
        ("TRUNKLINE_RECORDING__ENABLED", "false"),
        ("TRUNKLINE_DATA_DIR", "here/data"),
        ("TRUNKLINE_MODELS", "/opt/models"),
        ("TRUNKLINE_SPEECH", "/somebody/elses/variable"),
        ("TRUNKLINE_PEER", "is not a setting without its parts"),
    ];
    let config =
        load("[sip]\nlisten = \"127.0.0.1:5060\"\nmax_calls = 9\n[recording]\ndirectory = \"wav\"\n", &variables);
    let config = config.unwrap();
    assert_eq!((config.sip.listen.port(), config.sip.max_calls), (5099, 7));
    assert_eq!((config.rtp.timeout, config.recording.enabled), (Duration::from_secs(3), false));
    assert_eq!(config.data_dir, Path::new("here/data"), "from the current folder");
    assert!(config.recordings_dir().is_absolute(), "from the file's folder");
    let half = load("[recording]\ndirectory = \"wav\"", &[]).unwrap();
    assert!(half.recording.enabled, "a section that is named keeps its other defaults");
    assert_eq!(config.model_dirs().home(), Some(Path::new("/opt/models")), "what is named wins");
}

#[test]
fn errors_are_sentences_that_name_file_key_and_remedy() {
    let rows = [
        ("[sip]\nlistn = \"x\"", "trunkline.toml: sip.listn is not a setting; did you mean `listen`?"),
        ("[sips]\n", "trunkline.toml: sips is not a setting; did you mean `sip`?"),
        ("peers = []", "trunkline.toml: peers is not a setting; did you mean `peer`?"),
        ("[log]\ncolour = 1", "trunkline.toml: log.colour is not a setting; known there: level, format"),
        ("[log]\nformat = \"jsn\"", "trunkline.toml: log.format is \"jsn\"; it must be one of text, json"),
        ("[privacy]\nnumbers = 4", "trunkline.toml: privacy.numbers is"),
        ("[sip]\nmax_calls = \"many\"", "trunkline.toml: sip.max_calls is string \"many\"; it must be usize"),
        ("[sip]\nmax_calls = -1", "trunkline.toml: sip.max_calls is"),
        (
            "[sip]\nlisten = \"5060\"",
            "trunkline.toml: sip.listen is wrong: \"5060\" is not an address with a port; write it like 127.0.0.1:5060",
        ),
        (
            "[sip]\nlisten = 5060",
            "trunkline.toml: sip.listen is wrong: \"5060\" is not an address with a port; write it",
        ),
        (
            "[sip]\nadvertise = \"pbx\"",
            "trunkline.toml: sip.advertise is wrong: \"pbx\" is not an IP address; write it",
        ),
        ("[rtp]\naddress = \"eth0\"", "trunkline.toml: rtp.address is wrong: \"eth0\" is not an IP address; write it"),
        (
            "[rtp]\nports = \"20000\"",
            "trunkline.toml: rtp.ports is wrong: \"20000\" is not a range of ports; write it like",
        ),
        (
            "[rtp]\ntimeout = \"soon\"",
            "trunkline.toml: rtp.timeout is wrong: \"soon\" is not a duration; write it like 300ms",
        ),
        ("[rtp]\ntimeout = 20", "trunkline.toml: rtp.timeout is"),
        (
            "data_dir = \"~/data\"",
            "trunkline.toml: data_dir is wrong: `~` is the shell's, not ours; write the whole path",
        ),
        ("data_dir = \"\"", "trunkline.toml: data_dir is wrong: an empty path leads nowhere"),
        ("[[route]]\nnumber = \"*\"", "trunkline.toml: [[route]] number 1 lacks `plan`"),
        (
            "[[peer]]\nname = \"a\"\naddresses = [\"10.0.0.1\"]\n[[peer]]\nname = \"b\"\naddresses = [\"10.0.0.1\", \"host\"]",
            "trunkline.toml: [[peer]] number 2, addresses number 2 is wrong: \"host\" is not a network; write it like",
        ),
        ("[sip\n", "trunkline.toml: TOML parse error at line 1"),
        (
            "[rtp]\nports = \"20000-20009\"",
            "trunkline.toml: rtp.ports holds 5 pairs of ports, too few for sip.max_calls = 400",
        ),
        ("[sip]\nmax_calls = 0", "trunkline.toml: sip.max_calls is 0"),
        ("[speech]\nworkers = 0", "trunkline.toml: speech.workers is 0"),
        ("[rtp]\nthreads = 0", "trunkline.toml: rtp.threads is 0"),
        ("[rtp]\ntimeout = \"0s\"", "trunkline.toml: rtp.timeout is zero"),
        (
            "[rtp]\naddress = \"0.0.0.0\"",
            "trunkline.toml: rtp.address is 0.0.0.0, which peers cannot send to; set sip.advertise",
        ),
        (
            "[[peer]]\nname = \"a\"\naddresses = []",
            "trunkline.toml: [[peer]] \"a\" has neither addresses nor a username",
        ),
        ("[sip]\ndigest = []", "trunkline.toml: sip.digest is empty"),
        ("[rtp]\ncodecs = []", "trunkline.toml: rtp.codecs is empty"),
        ("[rtp]\ncodecs = [\"pcmu\", \"pcmu\"]", "trunkline.toml: rtp.codecs names pcmu twice"),
        (
            "[rtp]\njitter = \"120ms-20ms\"",
            "trunkline.toml: rtp.jitter is wrong: \"120ms-20ms\" ends before it begins; write the shorter delay first",
        ),
        ("[rtp]\nsrtp = \"on\"", "trunkline.toml: rtp.srtp is \"on\"; it must be one of off, optional, required"),
        ("[sip]\ntls_listen = \"127.0.0.1:5061\"", "trunkline.toml: sip.tls_listen needs sip.certificate and"),
        (
            "[sip]\ncertificate = \"a.pem\"",
            "trunkline.toml: sip.certificate and sip.private_key are for sip.tls_listen",
        ),
        ("[sip]\nmin_se = \"30s\"", "trunkline.toml: sip.min_se is shorter than 90s"),
        ("[sip]\nsession_expires = \"80s\"", "trunkline.toml: sip.session_expires is shorter than sip.min_se"),
        ("[sip]\nrealm = \"\"", "trunkline.toml: sip.realm must be a plain name"),
        (
            "[[route]]\nnumber = \"1\"\nplan = \"a\"\n[[route]]\nnumber = \"1\"\nplan = \"b\"",
            "trunkline.toml: two [[route]] have the number \"1\"; keep one",
        ),
    ];
    for (text, expect) in rows {
        let error = load_somewhere(text, &[]).expect_err(text);
        assert!(error.starts_with(expect), "{text}\n  says    {error}\n  expected {expect}");
    }
}

/// A peer or trunk with these lines, as it is written in a file.
fn section(what: &str, lines: &str) -> String {
    let place = if what == "peer" { "addresses = [\"192.0.2.7\"]" } else { "uri = \"sip:carrier.example\"" };
    format!("[[{what}]]\nname = \"a\"\n{}\n{lines}", if lines.contains("uri =") { "" } else { place })
}

#[test]
fn faults_of_peers_and_trunks_name_whose_they_are() {
    let rows = [
        ("peer", "username = \"u\"", "[[peer]] \"a\" has a username but no password"),
        ("peer", "password = \"p\"", "[[peer]] \"a\" has a password but no username"),
        ("peer", "username = \"u\"\npassword = \"\"", "[[peer]] \"a\" has an empty password"),
        ("peer", "max_calls = 0", "[[peer]] \"a\": max_calls is 0"),
        ("peer", "max_cps = 0", "[[peer]] \"a\": max_cps is 0"),
        ("trunk", "uri = \"carrier.example\"", "[[trunk]] \"a\" has the uri \"carrier.example\"; write it like sip:"),
        ("trunk", "uri = \"tel:+1\"", "[[trunk]] \"a\" has the uri"),
        ("trunk", "register = true", "[[trunk]] \"a\" is to be registered with, which needs a username"),
        ("trunk", "expires = \"5s\"", "[[trunk]] \"a\": expires is shorter than 60s"),
        ("trunk", "ping = \"1s\"", "[[trunk]] \"a\": ping is shorter than 5s"),
        ("trunk", "caller_id = \"my phone\"", "[[trunk]] \"a\": caller_id is no number"),
        (
            "trunk",
            "username = \"u\"\npassword_env = \"NOT_SET\"",
            "[[trunk]] \"a\" takes its password from the variable NOT_SET",
        ),
        ("trunk", "username = \"u\"\npassword = \"p\"\npassword_env = \"P\"", "[[trunk]] \"a\" has both password and"),
        ("trunk", "name = \"b\"", "TOML parse error"),
    ];
    for (what, lines, expect) in rows {
        let error = load_somewhere(&section(what, lines), &[]).expect_err(lines);
        assert!(
            error.starts_with(&format!("trunkline.toml: {expect}")),
            "{lines}\n  says    {error}\n  expected {expect}"
        );
    }
    let twice = [section("trunk", ""), section("trunk", "")].concat();
    assert!(load(&twice, &[]).unwrap_err().contains("two [[trunk]] are named \"a\""));
}

#[test]
fn a_password_is_fetched_and_never_shown() {
    let lines = "username = \"u\"\npassword_env = \"CARRIER_PASSWORD\"\nregister = true";
    let config = load(&section("trunk", lines), &[("CARRIER_PASSWORD", "s3cret")]).unwrap();
    let password = config.trunks[0].password.clone().unwrap();
    assert_eq!(password.reveal(), "s3cret");
    assert!(!format!("{config:?}").contains("s3cret"));
    let error = load(&section("peer", "username = \"u\"\npassword = 12345678"), &[]).unwrap_err();
    assert!(error.contains("a password is text; put it between quotes") && !error.contains("1234"), "{error}");
}

#[test]
fn whoever_only_looks_on_needs_no_passwords_and_gets_none() {
    let lines = "username = \"u\"\npassword_env = \"CARRIER_PASSWORD\"\nregister = true";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trunkline.toml");
    std::fs::write(&file, section("trunk", lines)).unwrap();
    let config = Config::load_without_passwords(Some(&file)).expect("the variable is not set, and nobody asks");
    assert_eq!(config.trunks[0].password, None);
    std::fs::write(&file, section("trunk", "username = \"\"\npassword_env = \"CARRIER_PASSWORD\"")).unwrap();
    assert!(Config::load_without_passwords(Some(&file)).is_err(), "what is wrong without them is still wrong");
}

#[test]
fn hosts_and_secrets_of_look_ups_are_named_and_only_named() {
    let text =
        "[lookups]\nallow = [\"crm.example\", \"*.shop.example:8443\"]\nsecrets = [\"CRM_TOKEN\"]\ntimeout = \"3s\"";
    let config = load(text, &[("CRM_TOKEN", "s3cret")]).unwrap();
    assert!(!format!("{config:?}").contains("s3cret"));
    let settings = config.lookups.settings(7);
    assert_eq!(settings.secrets.names().collect::<Vec<_>>(), ["CRM_TOKEN"]);
    assert_eq!((settings.timeout, settings.max_bytes, settings.redirects), (Duration::from_secs(3), 256 * 1024, 0));
    let url = |text: &str| reqwest::Url::parse(text).unwrap();
    assert!(settings.allow.permits(&url("https://a.shop.example:8443/")).is_ok());
    assert!(settings.allow.permits(&url("https://shop.example:8443/")).is_err());

    let rows = [
        (
            "allow = [\"crm.example/orders\"]",
            "2:10: lookups.allow number 1 is wrong: \"crm.example/orders\" is no host",
        ),
        ("secrets = [\"CRM_TOKEN\"]", "2:1: lookups.secrets names the variable CRM_TOKEN, which is not set"),
        ("secrets = [\"a b\"]", "2:1: lookups.secrets has \"a b\", which is no name of a variable"),
        ("timeout = \"2m\"", "2:1: lookups.timeout is out of reach"),
        ("redirects = 4", "2:1: lookups.redirects is 4; it must be 0 to 3"),
        ("max_bytes = 10", "2:1: lookups.max_bytes is 10"),
        ("at_once = 0", "2:1: lookups.at_once is 0"),
    ];
    for (line, expect) in rows {
        let error = load(&format!("[lookups]\n{line}"), &[]).expect_err(line);
        assert!(
            error.starts_with(&format!("trunkline.toml:{expect}")),
            "{line}\n  says    {error}\n  expected {expect}"
        );
    }
}

#[test]
fn errors_in_variables_name_the_variable() {
    let rows = [
        ("TRUNKLINE_SIP__LISTN", "x", "TRUNKLINE_SIP__LISTN: is not a setting; did you mean `listen`?"),
        ("TRUNKLINE_SIP__LISTEN", "x", "TRUNKLINE_SIP__LISTEN: is wrong: \"x\" is not an address with"),
        ("TRUNKLINE_DATADIR", "x", "TRUNKLINE_DATADIR: is not a setting; did you mean TRUNKLINE_DATA_DIR?"),
        ("TRUNKLINE_RTP__PORTS", "9", "TRUNKLINE_RTP__PORTS: is"),
    ];
    for (name, value, expect) in rows {
        let error = load("", &[(name, value)]).expect_err(name);
        assert!(error.starts_with(expect), "{name}\n  says    {error}\n  expected {expect}");
    }
}

#[test]
fn a_file_that_is_asked_for_and_missing_is_an_error() {
    let error = Config::from_sources(Some(Path::new("/nowhere/trunkline.toml")), &environment(&[])).unwrap_err();
    assert!(error.to_string().starts_with("/nowhere/trunkline.toml: the settings cannot be read"), "{error}");
}

#[test]
fn the_most_particular_route_answers() {
    let route = |number: &str| {
        format!("[[route]]\nnumber = \"{number}\"\nplan = \"/{}.yaml\"\n", number.replace(['*', '+'], "_"))
    };
    let text = ["*", "+1*", "+1202*", "+12025550100"].map(route).concat();
    let config = load(&text, &[]).unwrap();
    let rows = [
        ("+12025550100", "/_12025550100.yaml"),
        ("+12025550101", "/_1202_.yaml"),
        ("+1303", "/_1_.yaml"),
        ("1000", "/_.yaml"),
    ];
    for (number, plan) in rows {
        assert_eq!(
            config.route_for(number, "carrier").map(|route| route.plan.as_path()),
            Some(Path::new(plan)),
            "{number}"
        );
    }
    let config = load(&route("1000"), &[]).unwrap();
    assert_eq!(config.route_for("1001", ""), None);
}

#[test]
fn a_webhook_goes_where_look_ups_may_and_proves_itself_by_their_secrets() {
    let lookups = "[lookups]\nallow = [\"crm.example\"]\nsecrets = [\"CRM_TOKEN\"]\n";
    let hook = "[agents.webhook]\nurl = \"https://crm.example/calls\"\n";
    let headers = "headers = { Authorization = \"Bearer {{ env.CRM_TOKEN }}\" }\n";
    let config = load(&format!("{lookups}{hook}{headers}"), &[("CRM_TOKEN", "s3cret")]).unwrap();
    let settings = config.lookups.settings(7);
    let webhook = config.webhook(&settings.secrets).unwrap();
    let (key, marker) = ("Authorization", format!("Bearer {}", settings.secrets.marker("CRM_TOKEN")));
    assert_eq!((webhook.headers[key].reveal(), webhook.timeout), (&marker, Duration::from_secs(10)));
    let request = webhook.request(serde_json::json!({}), "k".to_owned());
    assert!(request.prepare(&settings).is_ok());
    assert!(load("", &[]).unwrap().webhook(&settings.secrets).is_none());
    let rows = [
        (hook.to_owned(), "2:1: agents.webhook.url: `crm.example` is not on the allow list"),
        (hook.replace("https://", ""), "2:1: agents.webhook.url cannot be used: write the URL out up to its path"),
        (hook.replace("crm.example", "{{ env.HOST }}"), "2:1: agents.webhook.url cannot be used: whom to ask"),
        (
            format!("{hook}headers = {{ a = \"{{{{ env.TOKEN }}}}\" }}\n[lookups]\nallow = [\"crm.example\"]"),
            "3:1: agents.webhook.headers uses `TOKEN`, which is not in `secrets`",
        ),
        (
            format!("{hook}timeout = \"2m\"\n[lookups]\nallow = [\"crm.example\"]"),
            "3:1: agents.webhook.timeout is out of reach",
        ),
        (format!("{hook}uri = 1"), "agents.webhook.uri is not a setting; did you mean `url`?"),
    ];
    for (text, fault) in rows {
        let error = load(&text, &[]).unwrap_err();
        assert!(error.contains(fault), "{error}\n{text}");
    }
}

#[test]
fn agents_are_checked_with_the_trunks_they_are_called_through() {
    let trunk = "[[trunk]]\nname = \"c\"\nuri = \"sip:c.example\"\n";
    let desk = "[agents.group.desk]\nring = \"12s\"\nannounce = \"never\"\nstrategy = \"ring_all\"\n";
    let ada = "[[agents.agent]]\nname = \"ada\"\nto = \"+12025550100\"\ngroups = [\"desk\"]\n";
    let config = load(&format!("{trunk}{desk}{ada}trunk = \"c\"\nlanguages = [\"zh-cn\"]"), &[]).unwrap();
    let roster = config.roster().unwrap();
    let group = roster.group("desk").unwrap();
    assert_eq!((group.ring, group.announce, group.max_length), (Duration::from_secs(12), None, 50));
    let (_, agent) = roster.agents().next().unwrap();
    assert_eq!((agent.lines, agent.languages[0].as_str(), agent.trunk.as_deref()), (1, "zh-CN", Some("c")));
    let rows = [
        (format!("{desk}{ada}"), "7:1: [[agents.agent]] \"ada\" has a number in `to`, which needs a `trunk`"),
        (format!("{desk}{ada}trunk = \"d\""), "9:1: [[agents.agent]] \"ada\" is called through \"d\""),
        (desk.to_owned(), "1:1: [agents.group.desk] has no agent"),
        (desk.replace("ring_all", "ring_none"), "4:1: agents.group.desk.strategy is \"ring_none\"; it must be one of"),
        (desk.replace("never", "often"), "3:1: agents.group.desk.announce is wrong: \"often\" is not a duration"),
        (format!("{desk}{ada}mother = \"tongue\""), "9:1: [[agents.agent]] number 1, mother is not a setting"),
        (format!("{desk}{ada}languages = [\"english\"]"), "`english` is not a language tag"),
    ];
    for (text, fault) in rows {
        let error = load(&text, &[]).unwrap_err();
        assert!(error.contains(fault), "{error}\n{text}");
    }
}

#[test]
fn the_example_is_the_defaults() {
    let environment = source::process_environment().into_iter().filter(|(name, _)| !name.starts_with("TRUNKLINE_"));
    let config = Config::from_sources(Some(Path::new(EXAMPLE)), &environment.collect()).unwrap();
    let mut expect = Config::default();
    for route in &mut expect.routes {
        route.plan = Path::new(EXAMPLE).with_file_name(&route.plan);
    }
    assert_eq!(config, expect);
}

#[test]
fn the_example_explains_every_key_and_what_is_commented_out_is_valid() {
    let example = std::fs::read_to_string(EXAMPLE).unwrap();
    // `#key = value` is a setting left out; `# words` are an explanation.
    let is_left_out =
        |line: &str| line.starts_with('#') && line[1..].starts_with(|c: char| c.is_ascii_lowercase() || c == '[');
    let uncommented = example.lines().map(|line| if is_left_out(line) { &line[1..] } else { line }).collect::<Vec<_>>();
    load(&uncommented.join("\n"), &[("CARRIER_PASSWORD", "s3cret"), ("CRM_TOKEN", "s3cret")]).unwrap();

    let sections = [
        "",
        "[sip]",
        "[rtp]",
        "[[peer]]",
        "[[trunk]]",
        "[[route]]",
        "[[agents.agent]]",
        "[agents.group.desk]",
        "[agents.webhook]",
        "[speech]",
        "[lookups]",
        "[recording]",
        "[privacy]",
        "[log]",
        "[ops]",
    ];
    for section in sections {
        let begin = uncommented.iter().position(|line| *line == section).expect(section);
        let lines = uncommented[begin..].iter().skip(1).take_while(|line| !line.starts_with('['));
        let explained = lines.filter_map(|line| line.split_once(" = ")).map(|(key, _)| key).collect::<Vec<_>>();
        for key in known_keys(section) {
            let begins = |it: &&str| it.trim_matches(['[', ']']).split('.').next() == Some(key);
            let is_a_section = section.is_empty() && sections.iter().any(begins);
            // Stands in prose beside `password`, which it takes the place of.
            let is_explained = explained.contains(key) || *key == "password_env" || *key == "password";
            assert!(is_a_section || is_explained, "{section} {key} is not in config.example.toml");
        }
    }
}

/// The keys serde knows in a section, out of its own complaint about one that is not.
fn known_keys(section: &str) -> &'static [&'static str] {
    let figment = Figment::from(Toml::string(&format!("{section}\nzzz = 1")));
    match figment.extract::<Config>().unwrap_err().kind {
        Kind::UnknownField(_, known) => known,
        other => panic!("{section}: {other}"),
    }
}
