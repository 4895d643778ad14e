//! What each column of a list holds: guessed from its name in English or Chinese, from the inputs of the plan and from
//! what stands in it; or said by whoever imports it.

use crate::campaign::file::Campaign;
use crate::dialplan::diagnostic::{listed, nearest};
use crate::value::Sort;

/// Names less alike than this are another thing.
const ALIKE: f64 = 0.9;
/// Samples kept of a column.
pub const SAMPLES: usize = 3;

/// What a column is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A number of the person; several columns may be.
    Phone,
    /// Whose: the id of the person where the list comes from.
    Person,
    /// What they speak.
    Language,
    /// Where they are, by the clock.
    Zone,
    /// Where they are, by the law.
    State,
    /// What it is about: the id of the debt.
    Debt,
    /// How they agreed to be called.
    Consent,
    /// Where the proof of that is.
    Evidence,
    /// When they agreed.
    Agreed,
    /// An input of the plan, by its place there.
    Input(usize),
    /// Why the row was put into quarantine last time.
    Reason,
}

/// Names of the roles, for `--map` and reports.
const ROLES: [(Role, &str); 10] = [
    (Role::Phone, "phone"),
    (Role::Person, "id"),
    (Role::Language, "language"),
    (Role::Zone, "zone"),
    (Role::State, "state"),
    (Role::Debt, "debt"),
    (Role::Consent, "consent"),
    (Role::Evidence, "evidence"),
    (Role::Agreed, "agreed"),
    (Role::Reason, "reason"),
];

/// Leaves a column out.
const IGNORE: &str = "ignore";

/// Name of the column that quarantine adds.
pub const REASON: &str = "quarantine reason";

/// How columns are called, without case, spaces and signs.
const WORDS: [(Role, &[&str]); 10] = [
    (
        Role::Phone,
        &[
            "phone",
            "phonenumber",
            "phoneno",
            "mobile",
            "mobilenumber",
            "mobilephone",
            "cell",
            "cellphone",
            "tel",
            "telephone",
            "telephonenumber",
            "telno",
            "homephone",
            "workphone",
            "contactnumber",
            "number",
            "msisdn",
            "手机",
            "手机号",
            "手机号码",
            "电话",
            "电话号码",
            "联系电话",
            "联系方式",
            "移动电话",
            "座机",
            "家庭电话",
            "单位电话",
            "固定电话",
            "備用電話",
            "手機",
            "電話",
        ],
    ),
    (
        Role::Person,
        &[
            "id",
            "personid",
            "customerid",
            "customerno",
            "customernumber",
            "clientid",
            "userid",
            "memberid",
            "externalid",
            "leadid",
            "patientid",
            "编号",
            "客户号",
            "客户编号",
            "用户编号",
            "会员号",
            "序列号",
        ],
    ),
    (Role::Language, &["language", "lang", "locale", "preferredlanguage", "语言", "语种", "首选语言"]),
    (Role::Zone, &["zone", "timezone", "tz", "时区"]),
    (Role::State, &["state", "province", "statecode", "省", "省份", "州"]),
    (
        Role::Debt,
        &[
            "debt",
            "debtid",
            "account",
            "accountid",
            "accountno",
            "accountnumber",
            "loan",
            "loanid",
            "loanno",
            "contract",
            "contractno",
            "contractid",
            "caseid",
            "账号",
            "账户",
            "账户号",
            "合同号",
            "合同编号",
            "借据号",
            "案件编号",
        ],
    ),
    (Role::Consent, &["consent", "consentbasis", "consenttype", "optin", "同意", "授权", "同意方式"]),
    (Role::Evidence, &["evidence", "consentevidence", "consentproof", "consentsource", "同意凭证", "授权凭证", "凭证"]),
    (
        Role::Agreed,
        &["agreed", "consentdate", "consentedat", "consentgiven", "optindate", "同意日期", "授权日期", "同意时间"],
    ),
    (Role::Reason, &["quarantinereason"]),
];

/// Words for the same input of a plan: a column called by one is for the input called by another.
const INPUTS: [&[&str]; 7] = [
    &[
        "name",
        "fullname",
        "customername",
        "clientname",
        "contactname",
        "patientname",
        "person",
        "姓名",
        "名字",
        "客户姓名",
        "客户名称",
        "联系人",
    ],
    &["company", "creditor", "companyname", "公司", "公司名称", "机构", "债权人"],
    &[
        "due",
        "amount",
        "amountdue",
        "dueamount",
        "balance",
        "balancedue",
        "outstanding",
        "owed",
        "金额",
        "欠款",
        "欠款金额",
        "应还金额",
        "应付金额",
        "逾期金额",
        "待还金额",
    ],
    &[
        "since",
        "duedate",
        "due",
        "datedue",
        "opensince",
        "overduesince",
        "payby",
        "到期日",
        "到期日期",
        "还款日",
        "还款日期",
        "应还日期",
        "逾期日期",
    ],
    &["born", "dob", "birthdate", "dateofbirth", "birthday", "出生日期", "生日", "出生年月日"],
    &["postcode", "zip", "zipcode", "postalcode", "postal", "邮编", "邮政编码"],
    &["appointment", "date", "visit", "appointmentdate", "预约日期", "预约时间", "日期"],
];

/// How the role of a column came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Somebody said so.
    Said,
    /// It is called so.
    Named,
    /// It is called something like it, or holds what it should.
    Guessed,
    /// Nothing fits.
    Unused,
}

impl How {
    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Said => "as you say",
            Self::Named => "by its name",
            Self::Guessed => "a guess",
            Self::Unused => "",
        }
    }
}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// What the list calls it.
    pub name: String,
    /// What it is for; `None`: nothing.
    pub role: Option<Role>,
    /// Why.
    pub how: How,
    /// What stands in its first rows.
    pub samples: Vec<String>,
}

/// What each column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// In the order of the list.
    pub all: Vec<Column>,
}

impl Columns {
    /// What the columns called `header` hold, going by their first rows and by what was `said` of them
    /// (`phone=Mobile`).
    ///
    /// # Errors
    ///
    /// Sentences: what was said makes no sense, or something is missing without which nobody can be called.
    pub fn of(
        campaign: &Campaign,
        header: &[String],
        rows: &[Vec<String>],
        said: &[String],
    ) -> Result<Self, Vec<String>> {
        let samples = |place: usize| {
            let cells = rows.iter().filter_map(move |row| row.get(place)).map(|cell| cell.trim());
            cells.filter(|cell| !cell.is_empty())
        };
        let column = |(place, name): (usize, &String)| Column {
            name: name.clone(),
            role: None,
            how: How::Unused,
            samples: samples(place).take(SAMPLES).map(str::to_owned).collect(),
        };
        let mut columns = Self { all: header.iter().enumerate().map(column).collect() };
        let mut wrong: Vec<String> = said.iter().filter_map(|said| columns.say(campaign, said).err()).collect();
        for rank in [Self::by_name, Self::by_meaning, Self::by_likeness] {
            for place in 0..columns.all.len() {
                if columns.all[place].how != How::Unused {
                    continue;
                }
                let looks_right = |role: Role, how: How| fits(role, how, samples(place));
                if let Some((role, how)) =
                    rank(&columns, campaign, place).filter(|(role, how)| looks_right(*role, *how))
                {
                    columns.all[place].role = Some(role);
                    columns.all[place].how = how;
                }
            }
        }
        wrong.extend(columns.missing(campaign));
        if wrong.is_empty() { Ok(columns) } else { Err(wrong) }
    }

    /// Columns for this, in their order.
    pub fn each(&self, role: Role) -> impl Iterator<Item = usize> {
        self.all.iter().enumerate().filter(move |(_, column)| column.role == Some(role)).map(|(place, _)| place)
    }

    /// What a role is called here.
    pub fn role_name(campaign: &Campaign, role: Role) -> String {
        match role {
            Role::Input(place) => campaign.plan.inputs[place].name.clone(),
            role => ROLES.iter().find(|(one, _)| *one == role).map_or("", |(_, name)| name).to_owned(),
        }
    }

    /// `phone=Mobile`.
    fn say(&mut self, campaign: &Campaign, said: &str) -> Result<(), String> {
        let (what, name) = said.split_once('=').ok_or_else(|| {
            format!("`--map {said}` says not which column is what; write it like `--map phone=Mobile`")
        })?;
        let (what, name) = (what.trim(), name.trim());
        let inputs = || campaign.plan.inputs.iter().map(|input| input.name.as_str());
        let role = match ROLES.iter().find(|(_, known)| *known == what) {
            _ if what == IGNORE => None,
            _ if inputs().any(|input| input == what) => inputs().position(|input| input == what).map(Role::Input),
            Some((role, _)) => Some(*role),
            None => {
                let known = || ROLES.iter().map(|(_, name)| *name).chain(inputs()).chain([IGNORE]);
                return Err(match nearest(what, known()) {
                    Some(right) => format!("`--map {said}`: nothing is called `{what}`; did you mean `{right}`?"),
                    None => format!("`--map {said}`: nothing is called `{what}`, but {}", listed(known())),
                });
            }
        };
        let names = || self.all.iter().map(|column| column.name.as_str());
        let Some(place) = names().position(|other| other == name) else {
            return Err(match nearest(name, names()) {
                Some(right) => format!("`--map {said}`: the list has no column `{name}`; did you mean `{right}`?"),
                None => format!("`--map {said}`: the list has no column `{name}`, but {}", listed(names())),
            });
        };
        if role.is_some_and(|role| role != Role::Phone && self.each(role).next().is_some()) {
            return Err(format!("`--map {said}`: another column was named for `{what}` already"));
        }
        self.all[place].role = role;
        self.all[place].how = How::Said;
        Ok(())
    }

    fn free(&self, role: Role) -> bool {
        role == Role::Phone || self.each(role).next().is_none()
    }

    fn by_name(&self, campaign: &Campaign, place: usize) -> Option<(Role, How)> {
        let name = bare(&self.all[place].name);
        let input = campaign.plan.inputs.iter().position(|input| bare(&input.name) == name).map(Role::Input);
        let by_words = || WORDS.iter().find(|(_, words)| words.contains(&name.as_str())).map(|(role, _)| *role);
        input.or_else(by_words).filter(|role| self.free(*role)).map(|role| (role, How::Named))
    }

    /// Another word for an input of the plan.
    fn by_meaning(&self, campaign: &Campaign, place: usize) -> Option<(Role, How)> {
        let name = bare(&self.all[place].name);
        let groups = INPUTS.iter().filter(|words| words.contains(&name.as_str()));
        let mut inputs = groups.flat_map(|words| {
            let inputs = campaign.plan.inputs.iter().enumerate();
            inputs.filter(|(_, input)| words.contains(&bare(&input.name).as_str()))
        });
        // `due` is an amount to some and a day to others: what the column is called decides, then what it holds.
        let dated = name.contains("date") || name.contains('日') || name == "dob";
        let fitting = inputs.find(|(place, input)| {
            self.free(Role::Input(*place)) && !(dated && matches!(input.sort, Sort::Amount(_) | Sort::Number))
        });
        fitting.map(|(place, _)| (Role::Input(place), How::Guessed))
    }

    /// Something like it.
    fn by_likeness(&self, campaign: &Campaign, place: usize) -> Option<(Role, How)> {
        let name = bare(&self.all[place].name);
        let phone = ["phone", "mobile", "手机", "电话", "cell"].iter().any(|word| name.contains(word));
        let inputs = campaign.plan.inputs.iter().enumerate();
        let like = inputs
            .filter(|(place, _)| self.free(Role::Input(*place)))
            .map(|(place, input)| (strsim::jaro_winkler(&bare(&input.name), &name), place))
            .filter(|(likeness, _)| *likeness >= ALIKE)
            .max_by(|one, other| one.0.total_cmp(&other.0));
        like.map(|(_, place)| Role::Input(place)).or(phone.then_some(Role::Phone)).map(|role| (role, How::Guessed))
    }

    /// What is missing without which nobody can be called.
    fn missing(&self, campaign: &Campaign) -> Vec<String> {
        let mut wrong = Vec::new();
        let names = || listed(self.all.iter().take(20).map(|column| column.name.as_str()));
        if self.each(Role::Phone).next().is_none() {
            wrong.push(format!(
                "no column holds telephone numbers; say which with `--map phone=…`: there are {}",
                names()
            ));
        }
        for (place, input) in campaign.plan.inputs.iter().enumerate().filter(|(_, input)| input.required) {
            let name = &input.name;
            if !campaign.values.contains_key(name) && self.each(Role::Input(place)).next().is_none() {
                wrong.push(format!(
                    "the plan needs `{name}`, and no column has it; say which with `--map {name}=…`, or write it under \
                     `values:` in the campaign if it is the same for everybody"
                ));
            }
        }
        if self.each(Role::Consent).next().is_some() {
            for (role, what) in [(Role::Agreed, "when people agreed"), (Role::Evidence, "where the proof of it is")] {
                let name = Self::role_name(campaign, role);
                if self.each(role).next().is_none() {
                    wrong.push(format!(
                        "the list says how people agreed to be called, and not {what}; say which column does with \
                         `--map {name}=…`, or leave consent out with `--map ignore=…`"
                    ));
                }
            }
        }
        wrong
    }
}

/// Does what stands in a column look like what it should be? One without anything does.
fn fits<'a>(role: Role, how: How, mut cells: impl Iterator<Item = &'a str>) -> bool {
    let digits = |cell: &str| cell.chars().filter(|letter| letter.is_numeric()).count();
    match role {
        // A column that is called so may hold nothing but mistakes, which are better told row by row.
        Role::Phone if how == How::Named => true,
        Role::Phone => {
            let (mut right, mut all) = (0, 0);
            for cell in cells {
                all += 1;
                right += usize::from(digits(cell) >= 5);
            }
            right * 2 >= all
        }
        Role::State => cells.all(|cell| cell.chars().count() <= 24 && digits(cell) == 0),
        _ => true,
    }
}

/// A name without case, spaces, signs and a number at its end: `Phone 2` and `phone` are the same.
fn bare(name: &str) -> String {
    let kept: String = name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let shorter = kept.trim_end_matches(|letter: char| letter.is_ascii_digit());
    if shorter.is_empty() { kept } else { shorter.to_owned() }
}
