//! What English callers say, and what it must come to. The clock stands at ten on Wednesday, 4 March 2026.

use super::tests::{all_of, best, check};

#[test]
fn sums_of_money() {
    check(
        "en-US",
        "amount",
        &[
            ("two hundred dollars", "200.00 full"),
            ("two hundred", "200.00 full"),
            ("a hundred and twenty dollars and fifty cents", "120.50 full"),
            ("twelve fifty", "12.50 full"),
            ("two grand", "2000.00 full"),
            ("a hundred", "100.00 full"),
            ("a hundred bucks please", "100.00 full"),
            ("make it one fifty", "150.00 full"),
            ("I can pay fifty", "50.00 full"),
            ("um, I'd like to pay twenty five dollars", "25.00 full"),
            ("$12.50", "12.50 full"),
            ("$1,200", "1200.00 full"),
            ("12.5", "12.50 full"),
            ("twelve dollars fifty", "12.50 full"),
            ("twelve dollars and five cents", "12.05 full"),
            ("a buck fifty", "1.50 full"),
            ("fifty cents", "0.50 full"),
            ("ninety nine cents", "0.99 full"),
            ("two hundred and fifty cents", "200.50 full"),
            ("five thousand two hundred and ten dollars", "5210.00 full"),
            ("twenty five hundred", "2500.00 full"),
            ("twelve hundred dollars", "1200.00 full"),
            ("one and a half thousand", "1500.00 full"),
            ("two point five million", "2500000.00 full"),
            ("half a million", "500000.00 full"),
            ("ten k", "10000.00 full"),
            ("10k", "10000.00 full"),
            ("two hundred, no, three hundred", "300.00 full"),
            ("two hundred I mean two fifty", "250.00 full"),
            ("not two hundred, three hundred", "300.00 full"),
            ("fifty no wait make that sixty dollars", "60.00 full"),
            ("pay two hundred on Friday", "200.00 inside"),
            ("I can do one fifty on the fifteenth", "150.00 inside"),
            ("I get paid in two weeks so I can pay eighty dollars then", "80.00 inside"),
            ("a hundred twenty fifty", "120.50 full"),
            ("twelve oh five", "12.05 full"),
            ("three dollars", "3.00 full"),
            ("to hundred dollars", "200.00 full"),
            ("for hundred", "400.00 full"),
            ("two dollars and a half", "2.50 full"),
            ("minus five dollars", "-5.00 full"),
            ("one thousand", "1000.00 full"),
            ("a thousand and one dollars", "1001.00 full"),
            ("150", "150.00 full"),
            ("1250", "1250.00 full"),
            ("200 euros", "200.00 full"),
            ("zero dollars", "0.00 full"),
            ("one hundred and five pounds and twenty pence", "105.20 full"),
            ("point five dollars", "0.50 full"),
            ("point five", "0.50 full"),
            ("three quarters", "0.75 full"),
            ("half a dollar", "0.50 full"),
            ("three quarters of a dollar", "0.75 full"),
            ("five dollars and a quarter", "5.25 full"),
            ("two and a quarter thousand", "2250.00 full"),
            ("two thirds", "-"),
            ("a couple hundred", "-"),
            ("half", "-"),
            ("in two days", "-"),
            ("that one", "-"),
            ("tomorrow", "-"),
            ("I want to talk to a person", "-"),
            ("I will call you at five thirty p m", "-"),
            ("the fifteenth", "-"),
            ("two hundred and", "200.00 prefix"),
            ("um it's", "prefix"),
        ],
    );
}

#[test]
fn an_ambiguous_sum_lists_both() {
    assert_eq!(all_of("make it one fifty", "amount", "en-US"), ["150.00", "1.50"]);
    assert_eq!(all_of("twelve fifty", "amount", "en-US"), ["12.50", "1250.00"]);
    assert_eq!(all_of("twelve fifty", "amount?min=100", "en-US"), ["1250.00"]);
    assert_eq!(all_of("six hundred", "amount?max=500", "en-US"), [""; 0]);
    assert_eq!(
        best("two hundred", "amount?currency=GBP", "en-US").unwrap().value.to_owned(),
        super::tests::money("200", "GBP")
    );
    assert_eq!(best("200 euros", "amount?currency=EUR", "en-US").unwrap().value, super::tests::money("200", "EUR"));
    assert!(best("200 euros", "amount?currency=USD", "en-US").unwrap().sure < 0.5, "not the money asked for");
}

#[test]
fn numbers() {
    check(
        "en-US",
        "number",
        &[
            ("five", "5 full"),
            ("twenty three", "23 full"),
            ("one hundred and five", "105 full"),
            ("two point five", "2.5 full"),
            ("three and a half", "3.5 full"),
            ("minus ten", "-10 full"),
            ("negative two point oh five", "-2.05 full"),
            ("zero", "0 full"),
            ("zero point two five", "0.25 full"),
            ("a dozen", "12 full"),
            ("two dozen", "24 full"),
            ("1,234", "1234 full"),
            ("three million two hundred thousand", "3200000 full"),
            ("one twenty three", "123 full"),
            ("1 2 3", "123 full"),
            ("two oh five", "205 full"),
            ("nineteen eighty four", "1984 full"),
            ("one billion", "1000000000 full"),
            ("fifty thousand and three", "50003 full"),
            ("it's about seventeen", "17 full"),
            ("I have four of them", "4 full"),
            ("I have three children", "3 inside"),
            ("eleven", "11 full"),
            ("a thousand", "1000 full"),
            ("five no six", "6 full"),
            ("nine hundred ninety nine thousand nine hundred ninety nine", "999999 full"),
            ("ninety", "90 full"),
            ("14", "14 full"),
            ("fourteen hundred", "1400 full"),
            ("two hundred three thousand", "203000 full"),
            ("two hundred thousand", "200000 full"),
            ("the number is forty two", "42 full"),
            ("six please", "6 full"),
            ("1.5 million", "1500000 full"),
            ("seven hundred and", "700 prefix"),
            ("three point", "3 prefix"),
            ("this one", "-"),
            ("no one", "-"),
            ("one of those", "-"),
            ("I don't know", "-"),
            ("hello there", "prefix"),
        ],
    );
}

#[test]
fn days() {
    check(
        "en-US",
        "date",
        &[
            ("the fifteenth", "2026-03-15 full"),
            ("no, the fifteenth", "2026-03-15 full"),
            ("the first", "2026-04-01 full"),
            ("on the twenty first please", "2026-03-21 full"),
            ("March 3rd", "2027-03-03 full"),
            ("march the sixth", "2026-03-06 full"),
            ("March sixth twenty twenty seven", "2027-03-06 full"),
            ("March 6, 2027", "2027-03-06 full"),
            ("the sixth of March", "2026-03-06 full"),
            ("6 March", "2026-03-06 full"),
            ("3/15", "2026-03-15 full"),
            ("03/15/2026", "2026-03-15 full"),
            ("2026-03-15", "2026-03-15 full"),
            ("today", "2026-03-04 full"),
            ("tomorrow", "2026-03-05 full"),
            ("the day after tomorrow", "2026-03-06 full"),
            ("yesterday", "2026-03-03 full"),
            ("Friday", "2026-03-06 full"),
            ("on Friday", "2026-03-06 full"),
            ("this Friday", "2026-03-06 full"),
            ("next Friday", "2026-03-13 full"),
            ("Friday week", "2026-03-13 full"),
            ("a week on Friday", "2026-03-13 full"),
            ("a week from Monday", "2026-03-16 full"),
            ("two weeks from tomorrow", "2026-03-19 full"),
            ("Friday after next", "2026-03-13 full"),
            ("Monday next week", "2026-03-09 full"),
            ("next week on Tuesday", "2026-03-10 full"),
            ("last Friday", "2026-02-27 full"),
            ("end of the month", "2026-03-31 full"),
            ("at the end of next month", "2026-04-30 full"),
            ("the last day of April", "2026-04-30 full"),
            ("the first of next month", "2026-04-01 full"),
            ("the fifteenth of next month", "2026-04-15 full"),
            ("in three days", "2026-03-07 full"),
            ("in a week", "2026-03-11 full"),
            ("in two weeks", "2026-03-18 full"),
            ("a month from now", "2026-04-04 full"),
            ("three days ago", "2026-03-01 full"),
            ("in a couple of days", "2026-03-06 full"),
            ("a week from today", "2026-03-11 full"),
            ("Friday the sixth", "2026-03-06 full"),
            ("Friday, March the sixth", "2026-03-06 full"),
            ("Monday January fifth", "2026-01-05 full"),
            ("how about Monday", "2026-03-09 full"),
            ("Monday or Tuesday", "2026-03-10 inside"),
            ("Monday, no, Tuesday", "2026-03-10 full"),
            ("not Friday, Saturday", "2026-03-07 full"),
            ("pay two hundred on Friday", "2026-03-06 inside"),
            ("I can pay it by the 20th", "2026-03-20 inside"),
            ("Christmas Eve", "2026-12-24 full"),
            ("Oct 5", "2026-10-05 full"),
            ("end of the year", "2026-12-31 full"),
            ("December thirty first", "2026-12-31 full"),
            ("tomorrow morning", "2026-03-05 full"),
            ("the first one", "-"),
            ("my second card", "-"),
            ("two hundred dollars", "-"),
            ("February thirtieth", "-"),
            ("on the", "prefix"),
            ("next", "prefix"),
            ("March", "prefix"),
        ],
    );
    check(
        "en-US",
        "date?when=past",
        &[
            ("March sixth nineteen eighty five", "1985-03-06 full"),
            ("the fifth of May nineteen oh six", "1906-05-05 full"),
            ("December first two thousand and one", "2001-12-01 full"),
            ("12/1/85", "1985-12-01 full"),
            ("last Monday", "2026-03-02 full"),
            ("the fifteenth", "2026-02-15 full"),
            ("tomorrow", "-"),
        ],
    );
    check("en-US", "date?when=future", &[("March third", "2027-03-03 full"), ("yesterday", "-")]);
    check("en-GB", "date", &[("3/12", "2026-12-03 full"), ("5/4/2026", "2026-04-05 full")]);
}

#[test]
fn which_friday_is_next_is_asked_of_both() {
    assert_eq!(all_of("next Friday", "date", "en-US"), ["2026-03-13", "2026-03-06"]);
    assert_eq!(all_of("Wednesday", "date", "en-US"), ["2026-03-11", "2026-03-04"]);
}

#[test]
fn times_of_day() {
    check(
        "en-US",
        "time",
        &[
            ("five thirty p m", "17:30 full"),
            ("five pm", "17:00 full"),
            ("5pm", "17:00 full"),
            ("5 p.m.", "17:00 full"),
            ("5:30pm", "17:30 full"),
            ("half past five", "17:30 full"),
            ("half five", "17:30 full"),
            ("quarter past nine", "09:15 full"),
            ("a quarter after nine", "09:15 full"),
            ("quarter to six", "17:45 full"),
            ("ten to six", "17:50 full"),
            ("twenty five past ten", "10:25 full"),
            ("five minutes to one", "12:55 full"),
            ("noon", "12:00 full"),
            ("midnight", "00:00 full"),
            ("at midday", "12:00 full"),
            ("five o'clock", "17:00 full"),
            ("nine o'clock in the morning", "09:00 full"),
            ("nine in the evening", "21:00 full"),
            ("at nine", "09:00 full"),
            ("around three", "15:00 full"),
            ("nine oh five", "09:05 full"),
            ("seventeen thirty", "17:30 full"),
            ("17:30", "17:30 full"),
            ("seventeen hundred hours", "17:00 full"),
            ("oh nine thirty", "09:30 full"),
            ("zero nine thirty", "09:30 full"),
            ("twelve thirty", "12:30 full"),
            ("twelve a m", "00:00 full"),
            ("ten tonight", "22:00 full"),
            ("tonight at eight", "20:00 inside"),
            ("this afternoon at three", "15:00 inside"),
            ("in the morning at eight", "08:00 inside"),
            ("eleven at night", "23:00 full"),
            ("two at night", "02:00 full"),
            ("eight forty five", "08:45 full"),
            ("eight forty five, no, nine fifteen", "09:15 full"),
            ("seven thirty a m", "07:30 full"),
            ("0930", "09:30 full"),
            ("quarter past midnight", "00:15 full"),
            ("ten", "10:00 full"),
            ("call me at four", "16:00 inside"),
            ("two hundred dollars", "-"),
            ("in five days", "-"),
            ("half past", "prefix"),
            ("at", "prefix"),
        ],
    );
    assert_eq!(all_of("at five", "time", "en-US"), ["17:00", "05:00"]);
}

#[test]
fn moments() {
    check(
        "en-US",
        "moment",
        &[
            ("tomorrow at five", "2026-03-05T17:00 full"),
            ("tomorrow at five thirty p m", "2026-03-05T17:30 full"),
            ("five pm tomorrow", "2026-03-05T17:00 full"),
            ("in two hours", "2026-03-04T12:00 full"),
            ("in half an hour", "2026-03-04T10:30 full"),
            ("in an hour and a half", "2026-03-04T11:30 full"),
            ("in twenty minutes", "2026-03-04T10:20 full"),
            ("an hour from now", "2026-03-04T11:00 full"),
            ("tonight at eight", "2026-03-04T20:00 full"),
            ("at eight tonight", "2026-03-04T20:00 full"),
            ("Friday at half past three", "2026-03-06T15:30 full"),
            ("at noon on Friday", "2026-03-06T12:00 full"),
            ("tomorrow morning at nine", "2026-03-05T09:00 full"),
            ("tomorrow evening at seven", "2026-03-05T19:00 full"),
            ("March the sixth at 17:30", "2026-03-06T17:30 full"),
            ("call me back at four", "2026-03-04T16:00 full"),
            ("today at nine", "2026-03-04T21:00 full"),
            ("monday at 9 am", "2026-03-09T09:00 full"),
            ("the fifteenth at ten o'clock", "2026-03-15T10:00 full"),
            ("tonight at midnight", "2026-03-05T00:00 full"),
            ("tonight at twelve", "2026-03-05T00:00 full"),
            ("twelve o'clock tonight", "2026-03-05T00:00 full"),
            ("tomorrow night at one", "2026-03-06T01:00 full"),
            ("tomorrow at 12 am", "2026-03-05T00:00 full"),
            ("tonight at eleven", "2026-03-04T23:00 full"),
            ("tomorrow", "prefix"),
            ("on Friday", "prefix"),
            ("tomorrow at", "prefix"),
            ("two hundred", "-"),
        ],
    );
}

#[test]
fn yes_and_no() {
    let yes = [
        "yes",
        "yeah",
        "yep",
        "yup",
        "yes please",
        "yeah sure",
        "sure",
        "uh huh",
        "mm-hmm",
        "correct",
        "that's correct",
        "that's right",
        "right",
        "exactly",
        "absolutely",
        "of course",
        "okay",
        "ok",
        "go ahead",
        "please do",
        "I do",
        "sounds good",
        "that works",
        "I think so",
        "yes I am",
        "you bet",
        "definitely",
        "affirmative",
        "this is she",
        "speaking",
        "no problem",
        "why not",
        "yes yes yes",
        "yes it is",
        "yes that's fine",
        "by all means",
        "alright",
        "perfect",
        "I agree",
        "um yes",
        "yeah that's right",
    ];
    let no = [
        "no",
        "nope",
        "nah",
        "no thanks",
        "no thank you",
        "not really",
        "not at all",
        "never",
        "incorrect",
        "that's wrong",
        "that's not right",
        "that's not correct",
        "I don't think so",
        "I don't",
        "I do not",
        "no way",
        "absolutely not",
        "definitely not",
        "of course not",
        "negative",
        "not yet",
        "not now",
        "I'd rather not",
        "I'm afraid not",
        "it isn't",
        "it's not",
        "no it isn't",
        "no no no",
        "wrong",
        "no I don't",
        "don't",
        "uh no",
        "probably not",
        "no sorry",
        "yeah no",
        "I can't",
        "I won't",
        "nope not me",
        "not today",
        "that isn't me",
        "wrong person",
    ];
    for text in yes {
        let found = best(text, "boolean", "en-US");
        assert_eq!(found.as_ref().map(|found| found.value.plain()).as_deref(), Some("true"), "{text}");
        assert!(found.unwrap().sure > 0.5, "{text}");
    }
    for text in no {
        let found = best(text, "boolean", "en-US");
        assert_eq!(found.as_ref().map(|found| found.value.plain()).as_deref(), Some("false"), "{text}");
        assert!(found.unwrap().sure > 0.5, "{text}");
    }
    check(
        "en-US",
        "boolean",
        &[
            ("yes, the fifteenth", "true inside"),
            ("no, the fifteenth", "false inside"),
            ("no, I said two hundred", "false inside"),
            ("I don't know", "-"),
            ("not sure", "-"),
            ("two hundred", "-"),
            ("what do you mean", "-"),
            ("I want to talk to someone right now", "-"),
        ],
    );
}

#[test]
fn telephone_numbers() {
    check(
        "en-US",
        "phone",
        &[
            ("two oh two five five five oh one two three", "+12025550123 full"),
            ("202-555-0123", "+12025550123 full"),
            ("(202) 555 0123", "+12025550123 full"),
            ("2025550123", "+12025550123 full"),
            ("two zero two, five five five, zero one two three", "+12025550123 full"),
            ("area code two oh two five five five oh one two three", "+12025550123 full"),
            ("my number is 202 555 0123", "+12025550123 full"),
            ("it's two oh two triple five oh one twenty three", "+12025550123 full"),
            ("two oh two double five five zero one two three", "+12025550123 full"),
            ("one eight hundred five five five oh one two three", "+18005550123 full"),
            ("1-800-555-0123", "+18005550123 full"),
            ("eight hundred five five five twelve twelve", "+18005551212 full"),
            ("plus four four two oh seven nine four six oh oh oh oh", "+442079460000 full"),
            ("+44 20 7946 0000", "+442079460000 full"),
            ("three one two five five five nineteen hundred", "+13125551900 full"),
            ("three one two five five five two thousand", "+13125552000 full"),
            ("5550123", "5550123 full"),
            ("call me at 202 555 0123 after six", "+12025550123 inside"),
            ("212 5 5 5 for 7 8 9", "+12125554789 full"),
            ("two one two five five five to seven eight nine", "+12125552789 full"),
            ("nine one seven, five five five, oh one oh one", "+19175550101 full"),
            ("202 555", "prefix"),
            ("two oh two", "prefix"),
            ("my number is", "prefix"),
            ("I do not have one", "-"),
        ],
    );
    check(
        "en-GB",
        "phone",
        &[
            ("oh seven seven double oh nine hundred one two three", "+447700900123 full"),
            ("07700 900123", "+447700900123 full"),
            ("020 7946 0000", "+442079460000 full"),
        ],
    );
}

#[test]
fn ratings() {
    check(
        "en-US",
        "rating?min=0;max=10",
        &[
            ("eight", "8 full"),
            ("an eight", "8 full"),
            ("eight out of ten", "8 full"),
            ("8/10", "8 full"),
            ("8 out of 10", "8 full"),
            ("I'd give it an eight", "8 full"),
            ("ten", "10 full"),
            ("ten out of ten", "10 full"),
            ("a perfect ten", "10 full"),
            ("zero", "0 full"),
            ("zero out of ten", "0 full"),
            ("a solid seven", "7 full"),
            ("definitely a nine", "9 full"),
            ("I would rate it a six", "6 full"),
            ("ate", "8 full"),
            ("for", "4 full"),
            ("top marks", "10 full"),
            ("five points", "5 full"),
            ("seven no eight", "8 full"),
            ("one", "1 full"),
            ("number three", "3 full"),
            ("7", "7 full"),
            ("I would say a seven because you were slow", "7 inside"),
            ("nine please", "9 full"),
            ("maybe a five", "5 full"),
            ("four out of five", "-"),
            ("eleven", "-"),
            ("pretty good", "-"),
            ("very satisfied", "-"),
            ("I waited ten minutes", "-"),
            ("I called three times", "-"),
            ("a", "prefix"),
        ],
    );
    check(
        "en-US",
        "rating?min=1;max=5",
        &[
            ("five stars", "5 full"),
            ("four out of five", "4 full"),
            ("zero", "-"),
            ("three", "3 full"),
            ("1", "1 full"),
        ],
    );
    let undecided = best("seven or eight", "rating", "en-US").unwrap();
    assert!(undecided.sure < 0.7, "{undecided:?}");
}

#[test]
fn spelling() {
    check(
        "en-US",
        "spelling",
        &[
            ("B as in boy, O, X", "BOX full"),
            ("B O X", "BOX full"),
            ("b-o-x", "BOX full"),
            ("bravo oscar x-ray", "BOX full"),
            ("capital B, o, x", "BOX full"),
            ("H E double L O", "HELLO full"),
            ("S for sugar M I T H", "SMITH full"),
            ("it's spelled S M I T H", "SMITH full"),
            ("s like Sam, m like Mary", "SM full"),
            ("A B C one two three", "ABC123 full"),
            ("O apostrophe N E I L L", "O'NEILL full"),
            ("J dash P", "J-P full"),
            ("bee oh ex", "BOX full"),
            ("double u a y n e", "WAYNE full"),
            ("B as in", "B prefix"),
            ("I want to pay", "-"),
        ],
    );
}

#[test]
fn digits_go_through_their_own_reader() {
    check(
        "en-US",
        "digits?length=4",
        &[
            ("four two one seven", "4217 full"),
            ("for to won ate", "4218 full"),
            ("double five double six", "5566 full"),
            ("it's 4217", "4217 full"),
            ("forty two seventeen", "4217 full"),
            ("my pin is four two one seven I think it was", "4217 inside"),
            ("four two one seven, no, four two one eight", "4218 full"),
            ("four two", "prefix"),
            ("I forgot it", "-"),
        ],
    );
}

#[test]
fn several_kinds_are_found_in_one_utterance_at_their_own_words() {
    let text = "pay two hundred on Friday at five";
    let amount = best(text, "amount", "en-US").unwrap();
    let date = best(text, "date", "en-US").unwrap();
    let time = best(text, "time", "en-US").unwrap();
    assert_eq!((amount.words.clone(), &text[amount.bytes.clone()]), (1..3, "two hundred"));
    assert_eq!((date.words.clone(), &text[date.bytes.clone()]), (4..5, "Friday"));
    assert_eq!((time.words.clone(), &text[time.bytes.clone()]), (6..7, "five"));
}

/// Longer sentences, as recognisers write them.
#[test]
fn amount_in_whole_sentences() {
    check(
        "en-US",
        "amount",
        &[
            ("I can only afford about seventy five dollars this month.", "75.00 inside"),
            ("Can I pay one hundred today and the rest next week?", "100.00 inside"),
            ("Let's do $50 on the 1st.", "50.00 inside"),
            ("I'll pay the two hundred and five dollars.", "205.00 full"),
            ("could you take twenty five dollars and fifty cents", "25.50 inside"),
            ("I'd say fifteen hundred", "1500.00 full"),
            ("eleven hundred and twenty two dollars", "1122.00 full"),
            ("three thousand four hundred fifty six dollars and seventy eight cents", "3456.78 full"),
            ("six fifty", "650.00 full"),
            ("nine ninety nine", "999.00 full"),
            ("nineteen ninety nine", "19.99 full"),
            ("forty nine ninety five", "49.95 full"),
            ("one twenty five fifty", "125.50 full"),
            ("two and a half grand", "2500.00 full"),
            ("five hundred bucks, sorry, four hundred", "400.00 full"),
            ("not five hundred", "-"),
            ("Make that two fifty instead of three hundred", "250.00 full"),
            ("how about ten dollars a week", "10.00 inside"),
            ("I owe you guys like three hundred dollars", "300.00 inside"),
            ("Two hundred. Yeah, two hundred.", "200.00 full"),
            ("$1,234.56", "1234.56 full"),
            ("1 hundred dollars", "100.00 full"),
            ("20 dollars and 5 cents", "20.05 full"),
            ("it's gonna be a hundred and something", "100.00 inside"),
            ("a hundred fifty", "150.00 full"),
            ("on March 15th two hundred dollars", "200.00 inside"),
            ("press two", "-"),
            ("option three", "-"),
            ("my card ending in 4217", "-"),
            ("at half past five", "-"),
            ("in twenty minutes", "-"),
            ("one of my cards", "-"),
            ("the second one", "-"),
        ],
    );
}

/// Longer sentences, as recognisers write them.
#[test]
fn date_in_whole_sentences() {
    check(
        "en-US",
        "date",
        &[
            ("I can pay on the 15th of next month", "2026-04-15 inside"),
            ("I get paid on Friday so maybe Saturday", "2026-03-07 inside"),
            ("Let's say a week from this Friday", "2026-03-13 full"),
            ("the Monday after next", "2026-03-16 full"),
            ("it's the 3rd of April", "2026-04-03 full"),
            ("April 3", "2026-04-03 full"),
            ("the third", "2026-04-03 full"),
            ("by the end of this week", "2026-03-06 full"),
            ("first of the month", "2026-04-01 full"),
            ("on the 1st", "2026-04-01 full"),
            ("Tuesday the 10th", "2026-03-10 full"),
            ("Tuesday the tenth of March", "2026-03-10 full"),
            ("this coming Monday", "2026-03-09 full"),
            ("in about ten days", "2026-03-14 full"),
            ("two days from now", "2026-03-06 full"),
            ("ten days ago", "2026-02-22 full"),
            ("next month on the fifth", "2026-04-05 full"),
            ("the fifth next month", "2026-04-05 full"),
            ("I think it was January the fifth two thousand and twenty four", "2024-01-05 full"),
            ("March fifteenth two thousand twenty six", "2026-03-15 full"),
            ("the twenty ninth of February", "2028-02-29 full"),
            ("Friday at five", "2026-03-06 inside"),
            ("I want to book two tickets for Sunday", "2026-03-08 inside"),
            ("give me a second", "-"),
            ("may I speak to someone", "-"),
            ("I may pay later", "-"),
        ],
    );
}

/// Longer sentences, as recognisers write them.
#[test]
fn time_in_whole_sentences() {
    check(
        "en-US",
        "time",
        &[
            ("can you call me back at quarter to seven in the evening", "18:45 inside"),
            ("anytime after six p m", "18:00 inside"),
            ("I'd prefer nine thirty in the morning", "09:30 inside"),
            ("7:15 AM.", "07:15 full"),
            ("six", "18:00 full"),
            ("at 6", "18:00 full"),
            ("at twenty past four", "16:20 full"),
            ("ten after ten", "10:10 full"),
            ("five to five", "16:55 full"),
            ("twelve noon", "12:00 full"),
            ("twelve midnight", "00:00 full"),
            ("twenty one hundred hours", "21:00 full"),
            ("three in the afternoon on Monday", "15:00 inside"),
            ("five dollars", "-"),
            ("I have six hours", "-"),
        ],
    );
}

/// Longer sentences, as recognisers write them.
#[test]
fn moment_in_whole_sentences() {
    check(
        "en-US",
        "moment",
        &[
            ("could you ring me tomorrow at ten in the morning", "2026-03-05T10:00 inside"),
            ("next Tuesday at 3 pm", "2026-03-10T15:00 full"),
            ("Monday morning at eight thirty", "2026-03-09T08:30 full"),
            ("at six this evening", "2026-03-04T18:00 full"),
            ("call me in an hour", "2026-03-04T11:00 full"),
            ("in three days at noon", "2026-03-07T12:00 full"),
            ("on the 10th at half past nine", "2026-03-10T09:30 full"),
        ],
    );
}

/// Longer sentences, as recognisers write them.
#[test]
fn boolean_in_whole_sentences() {
    check(
        "en-US",
        "boolean",
        &[
            ("Yes.", "true full"),
            ("Yes, that is correct.", "true full"),
            ("Yeah, I think that's right.", "true full"),
            ("No, that's not what I said.", "false inside"),
            ("I do", "true full"),
            ("I have a question", "-"),
            ("I am having trouble with my card", "-"),
            ("no, two hundred", "false inside"),
            ("yes I'd like to pay two hundred", "true inside"),
            ("okay then", "true full"),
            ("oh yes please", "true full"),
            ("that's a no from me", "false inside"),
            ("I said yes", "true full"),
            ("hmm, no", "false full"),
            ("is it Friday", "-"),
            ("sure, why not", "true full"),
            ("you're right", "true full"),
            ("I guess", "true full"),
            ("not that I know of", "false inside"),
        ],
    );
}

/// Longer sentences, as recognisers write them.
#[test]
fn phone_in_whole_sentences() {
    check(
        "en-US",
        "phone",
        &[
            ("You can reach me at 202-555-0123.", "+12025550123 full"),
            ("(202) 555-0123", "+12025550123 full"),
            ("+1 202 555 0123", "+12025550123 full"),
            (
                "it's two zero two five five five, no sorry, two zero three five five five zero one two three",
                "+12035550123 inside",
            ),
        ],
    );
}

/// Longer sentences, as recognisers write them.
#[test]
fn rating_in_whole_sentences() {
    check(
        "en-US",
        "rating?min=1;max=10",
        &[
            ("I'd probably say like a seven or so", "7 full"),
            ("Eight.", "8 full"),
            ("a 9 out of 10", "9 full"),
            ("ten! you were great", "10 inside"),
            ("two thumbs up", "-"),
            ("one", "1 full"),
            ("it was a ten for sure", "10 full"),
            ("five because I waited twenty minutes", "5 inside"),
            ("zero", "-"),
        ],
    );
}

#[test]
fn a_day_that_does_not_exist_is_none_and_its_last_words_are_no_other() {
    for text in
        ["the thirty first of june", "june thirty first", "february thirtieth", "the thirty first of april please"]
    {
        assert_eq!(all_of(text, "date", "en-US").concat(), "", "{text}");
    }
    assert_eq!(all_of("the thirty first of july", "date", "en-US"), ["2026-07-31"]);
    assert_eq!(all_of("three quarters", "number", "en-US"), ["0.75"]);
    assert_eq!(all_of("two thirds", "number", "en-US").concat(), "");
}
