//! What Asterisk's own sound files say, for prompts made of their names.

use super::super::spoken_name;

/// Names of the core and extra sounds, and their words, in the order of the names.
const SOUNDS: &[(&str, &str)] = &[
    ("agent-alreadyon", "That agent is already logged on. Please enter your agent number followed by the pound key."),
    ("agent-incorrect", "Login incorrect. Please enter your agent number followed by the pound key."),
    ("agent-loggedoff", "Agent logged off."),
    ("agent-loginok", "Agent logged in."),
    ("agent-pass", "Please enter your password followed by the pound key."),
    ("agent-user", "Agent login. Please enter your agent number followed by the pound key."),
    ("all-circuits-busy-now", "All circuits are busy now."),
    ("an-error-has-occurred", "An error has occurred."),
    ("and", "and"),
    ("at-tone-time-exactly", "At the tone, the time will be exactly"),
    ("auth-incorrect", "Password incorrect. Please enter your password followed by the pound key."),
    ("auth-thankyou", "Thank you."),
    ("cannot-complete-as-dialed", "Your call cannot be completed as dialed."),
    ("check-number-dial-again", "Please check the number and dial again."),
    ("conf-getconfno", "Please enter your conference number followed by the pound key."),
    ("conf-invalid", "That is not a valid conference number. Please try again."),
    ("conf-onlyperson", "You are currently the only person in this conference."),
    ("connecting", "Connecting."),
    ("demo-abouttotry", "I am about to try to connect you."),
    ("demo-congrats", "Congratulations. You have successfully installed and executed the Asterisk open source P B X."),
    ("demo-echotest", "You are about to enter an echo test."),
    ("demo-instruct", "If you would like a demonstration, dial one thousand on your touch tone telephone now."),
    ("demo-moreinfo", "For more information, visit the web site."),
    ("demo-nogo", "I am afraid I was unable to connect to the demonstration server."),
    ("demo-nomatch", "That is an invalid extension. Please choose again."),
    ("demo-thanks", "Goodbye. Thank you for trying out the demonstration."),
    ("dir-welcome", "Welcome to the directory."),
    ("enter-ext-of-person", "Enter the extension of the person you are looking for."),
    ("enter-num-blacklist", "Enter the number to blacklist."),
    ("ext-or-zero", "Press an extension, or zero for an operator."),
    ("for-sales", "For sales"),
    ("for-tech-support", "For technical support"),
    ("goodbye", "Goodbye."),
    ("hello", "Hello."),
    ("hello-world", "Hello world."),
    ("if-you-know-your-partys-extension", "If you know your party's extension, you may dial it at any time."),
    ("im-sorry", "I am sorry."),
    ("invalid", "I am sorry, that is not a valid extension. Please try again."),
    ("is-not-available-at-this-time", "is not available at this time."),
    ("menu", "menu"),
    ("no-such-number", "There is no such number."),
    ("one-moment-please", "One moment, please."),
    ("operator", "operator"),
    ("option-is-invalid", "That option is invalid."),
    ("or", "or"),
    ("pbx-invalid", "I am sorry, that is not a valid extension. Please try again."),
    ("pbx-transfer", "Transfer."),
    ("please-enter-your", "Please enter your"),
    ("please-try-again", "Please try again."),
    ("please-try-call-later", "Please try your call again later."),
    ("please-wait", "Please wait."),
    ("press-0", "press zero"),
    ("press-1", "press one"),
    ("press-2", "press two"),
    ("press-3", "press three"),
    ("press-4", "press four"),
    ("press-5", "press five"),
    ("press-6", "press six"),
    ("press-7", "press seven"),
    ("press-8", "press eight"),
    ("press-9", "press nine"),
    ("press-pound", "press pound"),
    ("press-star", "press star"),
    ("priv-introsaved", "Thank you."),
    ("privacy-thankyou", "Thank you."),
    ("queue-callswaiting", "waiting to speak with a representative."),
    ("queue-holdtime", "The estimated hold time is currently"),
    ("queue-periodic-announce", "All representatives are currently busy assisting other callers. Please wait."),
    ("queue-thankyou", "Thank you for your patience."),
    ("queue-youarenext", "Your call is now first in line and will be answered by the next available representative."),
    ("sorry", "Sorry."),
    ("ss-noservice", "The number you have dialed is not in service. Please check the number and try again."),
    ("system-down", "I am sorry, the system is down."),
    ("thank-you-cooperation", "Thank you for your cooperation."),
    ("thank-you-for-calling", "Thank you for calling."),
    ("time", "time"),
    ("to-reach-operator", "To reach an operator"),
    ("transfer", "Please hold while I try that extension."),
    ("tt-allbusy", "All representatives are busy with other callers."),
    ("tt-monkeysintro", "They have been carried away by monkeys."),
    ("tt-somethingwrong", "Something is terribly wrong."),
    ("tt-weasels", "Weasels have eaten our phone system."),
    ("vm-advopts", "Press three for advanced options."),
    ("vm-enter-num-to-call", "Please enter the number you wish to call."),
    ("vm-extension", "extension"),
    ("vm-goodbye", "Goodbye."),
    ("vm-incorrect", "Login incorrect."),
    ("vm-intro", "Please leave your message after the tone. When done, hang up or press the pound key."),
    ("vm-invalid-password", "Your password is not valid."),
    ("vm-isonphone", "is on the phone."),
    ("vm-isunavail", "is unavailable."),
    ("vm-login", "Voice mail. Mailbox?"),
    ("vm-nobodyavail", "Nobody is available to take your call at the moment."),
    ("vm-options", "Press one to record your unavailable message."),
    ("vm-password", "Password?"),
    ("vm-press", "press"),
    ("vm-rec-name", "After the tone, say your name, and then press the pound key."),
    ("vm-sorry", "I am sorry, I did not understand your response."),
    ("vm-theperson", "The person at extension"),
    ("welcome", "Welcome."),
    ("you-entered", "You have entered"),
    ("your", "your"),
    ("zip-code", "zip code"),
];

/// Files that are silence or a tone: nothing is said.
const SILENT: [&str; 4] = ["beep", "beeperr", "silence", "tone"];

/// What a sound says. The flag: were its words made up from its name?
pub(super) fn words(sound: &str) -> (String, bool) {
    let name = sound.trim().trim_matches('/');
    let name = name.rsplit('/').next().filter(|_| !name.starts_with("silence/")).unwrap_or("silence");
    let name = name.strip_suffix(".wav").or_else(|| name.strip_suffix(".gsm")).unwrap_or(name).to_lowercase();
    if SILENT.contains(&name.as_str()) {
        return (String::new(), false);
    }
    if let Ok(place) = SOUNDS.binary_search_by_key(&name.as_str(), |(sound, _)| *sound) {
        return (SOUNDS[place].1.to_owned(), false);
    }
    let mut words = spoken_name(&name);
    // Only letters of one byte have a capital of one byte.
    if let Some(first) = words.get(..1).map(str::to_ascii_uppercase) {
        words.replace_range(..1, &first);
    }
    if !words.is_empty() {
        words.push('.');
    }
    (words, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_sounds_say_what_they_say_and_others_what_they_are_called() {
        assert!(SOUNDS.is_sorted_by_key(|(name, _)| *name));
        assert_eq!(words("en/vm-goodbye"), ("Goodbye.".to_owned(), false));
        assert_eq!(words("custom/main_menu-2024.wav"), ("Main menu 2024.".to_owned(), true));
        assert_eq!(words("silence/2"), (String::new(), false));
        assert_eq!(words("beep"), (String::new(), false));
        assert_eq!(words("您好"), ("您好.".to_owned(), true));
        assert_eq!(words(""), (String::new(), true));
    }
}
