use super::*;

const TODAY: Date = jiff::civil::date(2026, 2, 20);

fn say_in(tag: &str, value: Value, how: SayAs) -> String {
    say(&value, how, &Language::parse(tag).unwrap(), TODAY)
}

fn money(minor: i64, code: &str) -> Value {
    Value::Amount(Amount { minor, currency: Currency::parse(code).unwrap() })
}

#[test]
fn money_in_words() {
    for (minor, code, american, mandarin) in [
        (20_005, "USD", "two hundred dollars and five cents", "两百美元五美分"),
        (100, "USD", "one dollar", "一美元"),
        (1, "USD", "one cent", "一美分"),
        (0, "USD", "zero dollars", "零美元"),
        (-1_250, "USD", "minus twelve dollars and fifty cents", "负十二美元五十美分"),
        (20_005, "CNY", "two hundred yuan and five fen", "两百元五分"),
        (1_255, "CNY", "twelve yuan and fifty-five fen", "十二元五角五分"),
        (50, "CNY", "fifty fen", "五角"),
        (200, "CNY", "two yuan", "两元"),
        (220, "CNY", "two yuan and twenty fen", "两元两角"),
        (
            12_345_678,
            "GBP",
            "one hundred twenty-three thousand four hundred fifty-six pounds and seventy-eight pence",
            "十二万三千四百五十六英镑七十八便士",
        ),
        (101, "GBP", "one pound and one penny", "一英镑一便士"),
        (250, "EUR", "two euros and fifty cents", "两欧元五十欧分"),
        (1_500, "JPY", "one thousand five hundred yen", "一千五百日元"),
        (1_500, "CAD", "fifteen Canadian dollars", "十五加元"),
        (12_500, "BHD", "twelve point five zero zero B H D", "十二点五零零BHD"),
    ] {
        assert_eq!(say_in("en-US", money(minor, code), SayAs::Auto), american);
        assert_eq!(say_in("zh-CN", money(minor, code), SayAs::Auto), mandarin);
    }
    assert_eq!(say_in("en-CA", money(1_500, "CAD"), SayAs::Auto), "fifteen dollars");
    assert_eq!(say_in("en-GB", money(1_500, "USD"), SayAs::Auto), "fifteen U S dollars");
    assert_eq!(say_in("en-GB", money(12_005, "GBP"), SayAs::Auto), "one hundred and twenty pounds and five pence");
    assert_eq!(say_in("de", money(20_005, "EUR"), SayAs::Auto), "200.05 EUR");
}

#[test]
fn numbers_in_words() {
    for (number, american, mandarin) in [
        (0, "zero", "零"),
        (2, "two", "二"),
        (10, "ten", "十"),
        (15, "fifteen", "十五"),
        (22, "twenty-two", "二十二"),
        (105, "one hundred five", "一百零五"),
        (110, "one hundred ten", "一百一十"),
        (200, "two hundred", "两百"),
        (350, "three hundred fifty", "三百五十"),
        (1_005, "one thousand five", "一千零五"),
        (1_010, "one thousand ten", "一千零一十"),
        (2_050, "two thousand fifty", "两千零五十"),
        (2_222, "two thousand two hundred twenty-two", "两千两百二十二"),
        (10_000, "ten thousand", "一万"),
        (20_000, "twenty thousand", "两万"),
        (100_000, "one hundred thousand", "十万"),
        (100_010, "one hundred thousand ten", "十万零一十"),
        (150_000, "one hundred fifty thousand", "十五万"),
        (1_000_001, "one million one", "一百万零一"),
        (
            23_405_678,
            "twenty-three million four hundred five thousand six hundred seventy-eight",
            "两千三百四十万五千六百七十八",
        ),
        (100_000_001, "one hundred million one", "一亿零一"),
        (
            1_200_003_456,
            "one billion two hundred million three thousand four hundred fifty-six",
            "十二亿零三千四百五十六",
        ),
        (1_000_000_000_000_000, "one quadrillion", "一千万亿"),
        (-7, "minus seven", "负七"),
    ] {
        assert_eq!(say_in("en-US", Value::Integer(number), SayAs::Auto), american);
        assert_eq!(say_in("zh-CN", Value::Integer(number), SayAs::Auto), mandarin, "{number}");
    }
    assert_eq!(
        say_in("en-GB", Value::Integer(1_234_005), SayAs::Auto),
        "one million two hundred and thirty-four thousand and five"
    );
    assert_eq!(say_in("en-US", Value::Number(-12.05), SayAs::Auto), "minus twelve point zero five");
    assert_eq!(say_in("zh-CN", Value::Number(2.5), SayAs::Auto), "二点五");
    assert_eq!(say_in("en-US", Value::Number(0.1 + 0.2), SayAs::Auto), "zero point three");
    assert_eq!(say_in("zh-CN", Value::Number(3.0 * 1.1), SayAs::Number), "三点三");
    assert_eq!(say_in("en-US", Value::Number(-2.0 / 3.0), SayAs::Auto), "minus zero point six six six six six seven");
    assert_eq!(say_in("en-US", Value::Number(-1e-12), SayAs::Auto), "zero");
    assert_eq!(say_in("zh-CN", Value::Number(-0.0), SayAs::Auto), "零");
    assert_eq!(say_in("en-US", Value::Number(f64::NAN), SayAs::Number), "NaN");
    assert_eq!(
        say_in("en-US", Value::text("1,234.50"), SayAs::Number),
        "one thousand two hundred thirty-four point five zero"
    );
    assert_eq!(say_in("fr", Value::Number(2.5), SayAs::Auto), "2.5");
}

#[test]
fn places_in_an_order() {
    for (place, english, mandarin) in [
        (1, "first", "第一"),
        (2, "second", "第二"),
        (3, "third", "第三"),
        (5, "fifth", "第五"),
        (8, "eighth", "第八"),
        (9, "ninth", "第九"),
        (12, "twelfth", "第十二"),
        (20, "twentieth", "第二十"),
        (21, "twenty-first", "第二十一"),
        (100, "one hundredth", "第一百"),
        (1_003, "one thousand third", "第一千零三"),
        (0, "zeroth", "第零"),
    ] {
        assert_eq!(say_in("en-US", Value::Integer(place), SayAs::Ordinal), english);
        assert_eq!(say_in("zh-CN", Value::Integer(place), SayAs::Ordinal), mandarin);
    }
    assert_eq!(say_in("en-US", Value::Integer(-1), SayAs::Ordinal), "minus one");
}

#[test]
fn days_name_their_year_only_when_it_is_another() {
    for (text, american, british, mandarin) in [
        ("2026-03-06", "Friday, March the sixth", "Friday the sixth of March", "三月六号，星期五"),
        (
            "2026-12-31",
            "Thursday, December the thirty-first",
            "Thursday the thirty-first of December",
            "十二月三十一号，星期四",
        ),
        (
            "2027-03-06",
            "Saturday, March the sixth, twenty twenty-seven",
            "Saturday the sixth of March, twenty twenty-seven",
            "二〇二七年三月六号，星期六",
        ),
        (
            "2005-01-02",
            "Sunday, January the second, two thousand five",
            "Sunday the second of January, two thousand and five",
            "二〇〇五年一月二号，星期日",
        ),
        (
            "1906-01-02",
            "Tuesday, January the second, nineteen oh six",
            "Tuesday the second of January, nineteen oh six",
            "一九〇六年一月二号，星期二",
        ),
        (
            "1900-01-02",
            "Tuesday, January the second, nineteen hundred",
            "Tuesday the second of January, nineteen hundred",
            "一九〇〇年一月二号，星期二",
        ),
    ] {
        assert_eq!(say_in("en-US", Value::text(text), SayAs::Date), american);
        assert_eq!(say_in("en-GB", Value::Date(text.parse().unwrap()), SayAs::Auto), british);
        assert_eq!(say_in("zh-CN", Value::text(text), SayAs::Date), mandarin);
    }
    assert_eq!(say_in("de", Value::text("2026-03-06"), SayAs::Date), "2026-03-06");
    // There is no such day: it is said as it was written.
    assert_eq!(say_in("en-US", Value::text("2026-02-29"), SayAs::Date), "2026-02-29");
}

#[test]
fn times_of_day() {
    for (text, english, mandarin) in [
        ("00:00", "midnight", "午夜十二点"),
        ("00:15", "twelve fifteen a m", "凌晨十二点十五分"),
        ("02:00", "two a m", "凌晨两点"),
        ("7:45", "seven forty-five a m", "早上七点四十五分"),
        ("09:05", "nine oh five a m", "上午九点零五分"),
        ("12:00", "noon", "中午十二点"),
        ("12:30", "twelve thirty p m", "中午十二点半"),
        ("23:59:60", "eleven fifty-nine p m", "晚上十一点五十九分"),
        ("17:30", "five thirty p m", "下午五点半"),
        ("2026-03-06T23:59", "eleven fifty-nine p m", "晚上十一点五十九分"),
    ] {
        assert_eq!(say_in("en-US", Value::text(text), SayAs::Time), english);
        assert_eq!(say_in("zh-CN", Value::text(text), SayAs::Time), mandarin);
    }
    let moment = Value::Moment(jiff::civil::date(2026, 3, 6).at(17, 30, 0, 0));
    assert_eq!(say_in("en-US", moment.clone(), SayAs::Auto), "Friday, March the sixth, at five thirty p m");
    assert_eq!(say_in("zh-CN", moment.clone(), SayAs::Auto), "三月六号，星期五，下午五点半");
    assert_eq!(say_in("zh-CN", moment, SayAs::Time), "下午五点半");
    let midnight = Value::Moment(jiff::civil::date(2026, 3, 6).at(0, 0, 0, 0));
    assert_eq!(say_in("en-US", midnight.clone(), SayAs::Auto), "Friday, March the sixth, at midnight");
    assert_eq!(say_in("zh-CN", midnight, SayAs::Auto), "三月六号，星期五，零点");
}

#[test]
fn numbers_to_dial_and_letters() {
    let phone = |text: &str| Value::Phone(text.into());
    let zh = Language::parse("zh-CN").unwrap();
    for (tag, value, how, said) in [
        ("en-US", phone("+12025550123"), SayAs::Auto, "two zero two, five five five, zero one two three"),
        ("en-US", Value::text("555-1234"), SayAs::Phone, "five five five, one two three four"),
        ("en-US", Value::text("18005550123"), SayAs::Phone, "one, eight zero zero, five five five, zero one two three"),
        (
            "en-US",
            phone("+442079460000"),
            SayAs::Auto,
            "plus four four, two zero seven, nine four six, zero zero zero zero",
        ),
        ("en-GB", phone("+442079460000"), SayAs::Auto, "zero two zero, seven nine four six, zero zero zero zero"),
        ("zh-CN", phone("+8613800138000"), SayAs::Auto, "幺三八，零零幺三，八零零零"),
        ("zh-CN", phone("+861012345678"), SayAs::Auto, crate::spoken::digits::said("01012345678", &zh).as_str()),
        ("zh-CN", phone("+8675512345678"), SayAs::Auto, crate::spoken::digits::said("075512345678", &zh).as_str()),
        ("zh-CN", phone("+864008001234"), SayAs::Auto, crate::spoken::digits::said("4008001234", &zh).as_str()),
        ("zh-CN", phone("+12025550123"), SayAs::Auto, "加幺，二零二，五五五，零幺二三"),
        ("en-US", Value::Integer(4217), SayAs::Digits, "four two one seven"),
        ("en-US", Value::text("5551234"), SayAs::Digits, "five five five, one two three four"),
        ("en-US", Value::text("box 7"), SayAs::Spell, "B, O, X, seven"),
        ("zh-CN", Value::text("box 7"), SayAs::Spell, "B，O，X，七"),
        ("en-US", Value::text("hello"), SayAs::Phone, "hello"),
        // An extension is no part of a number: it is left to the synthesiser as it was written.
        ("en-US", Value::text("202-555-0143 x12"), SayAs::Phone, "202-555-0143 x12"),
    ] {
        assert_eq!(say_in(tag, value, how), said);
    }
}

#[test]
fn text_is_read_as_what_it_is_wanted_as() {
    assert_eq!(say_in("en-US", Value::text("200.00"), SayAs::Amount), "two hundred dollars");
    assert_eq!(say_in("en-US", Value::text("€12.5"), SayAs::Amount), "twelve euros and fifty cents");
    assert_eq!(say_in("en-CA", Value::text("$12"), SayAs::Amount), "twelve dollars");
    assert_eq!(say_in("zh-CN", Value::text("12.5 usd"), SayAs::Amount), "十二美元五十美分");
    assert_eq!(say_in("zh-CN", Value::Integer(12), SayAs::Amount), "十二元");
    assert_eq!(say_in("en-US", Value::Number(0.1 + 0.2), SayAs::Amount), "thirty cents");
    assert_eq!(say_in("en-US", Value::Integer(12), SayAs::parse("amount?currency=GBP").unwrap()), "twelve pounds");
    assert_eq!(say_in("en-US", Value::text("soon"), SayAs::Date), "soon");
    assert_eq!(say_in("en-US", Value::Boolean(true), SayAs::Date), "yes");
    assert_eq!(say_in("zh-CN", Value::Boolean(false), SayAs::Auto), "不是");
}

#[test]
fn lists_are_joined_as_people_join_them() {
    let list = |items: &[i64]| Value::List(items.iter().map(|item| Value::Integer(*item)).collect());
    assert_eq!(say_in("en-US", list(&[1, 2, 3]), SayAs::Auto), "one, two and three");
    assert_eq!(say_in("zh-CN", list(&[1, 2, 3]), SayAs::Ordinal), "第一、第二和第三");
    assert_eq!(say_in("en-US", list(&[]), SayAs::Auto), "");
}

#[test]
fn nothing_said_holds_figures_in_english_and_mandarin() {
    let values = [
        money(1_234_567, "USD"),
        money(5, "KWD"),
        Value::Integer(i64::MIN),
        Value::Integer(i64::MAX),
        Value::Number(1e17),
        Value::Date(Date::MAX),
        Value::Date(Date::MIN),
        Value::Time(Time::MAX),
        Value::Digits("0123456789".into()),
        Value::Phone("+8613800138000".into()),
        Value::Phone("+".into()),
        Value::Phone(String::new()),
    ];
    for value in values {
        for tag in ["en-US", "en-GB", "zh-CN"] {
            for (_, how) in SayAs::NAMES {
                let said = say_in(tag, value.clone(), how);
                assert!(!said.bytes().any(|byte| byte.is_ascii_digit()), "{tag} {value:?}: {said}");
            }
        }
    }
}

#[test]
fn a_moment_that_comes_soon_is_told_by_its_distance() {
    // A Monday.
    let today = jiff::civil::date(2026, 3, 2);
    let near = |day: i8, hour: i8, language: &str| {
        let moment = Value::Moment(jiff::civil::date(2026, 3, day).at(hour, 0, 0, 0));
        say(&moment, SayAs::Near, &Language::parse(language).unwrap(), today)
    };
    assert_eq!(near(2, 17, "en-US"), "today at five p m");
    assert_eq!(near(3, 9, "en-US"), "tomorrow at nine a m");
    assert_eq!(near(5, 12, "en-US"), "on Thursday at noon");
    assert_eq!(near(9, 9, "en-US"), "on Monday, March the ninth at nine a m");
    assert_eq!(near(3, 9, "zh-CN"), "明天上午九点");
    assert_eq!(near(4, 14, "zh-CN"), "后天下午两点");
    assert_eq!(near(6, 9, "zh-CN"), "星期五上午九点");
    assert_eq!(near(12, 9, "zh-CN"), "三月十二号，星期四上午九点");
    assert_eq!(near(3, 9, "de-DE"), "2026-03-03 09:00");
}
