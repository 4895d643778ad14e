//! Mandarin digit strings.

use super::Read;

/// Names to speak. 幺 for one, as numbers are read aloud, lest it be taken for seven.
pub const NAMES: [&str; 10] = ["零", "幺", "二", "三", "四", "五", "六", "七", "八", "九"];

/// What people put around their digits; longest first, since they are taken out in this order.
const COURTESY: &[&str] = &[
    "身份证", "验证码", "最后四位", "后面四位", "后四位", "末四位", "前四位", "最后4位", "后4位", "末4位", "手机号", "电话号码",
    "电话", "手机", "号码", "卡号", "账号", "帐号", "尾号", "密码", "数字", "银行卡", "我的", "应该", "谢谢", "那个", "这个",
    "就是", "你好", "您好", "一下", "好的", "是的", "请", "是", "为", "我", "的", "嗯", "呃", "啊", "吧", "呢", "哦", "噢", "喂",
    "对", "好", "数", "号", "卡",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Digit(u32),
    Ten,
    Hundred,
}

/// Reads `text`; `None` when other words are in it.
pub fn read(text: &str) -> Option<Read> {
    let spoken: String = text.chars().filter(|c| c.is_alphanumeric() || *c == '○').collect();
    let bare = COURTESY.iter().fold(spoken, |text, word| text.replace(word, ""));
    let parts: Vec<Part> = bare.chars().map(part).collect::<Option<_>>()?;
    let mut digits = String::new();
    let mut rest = parts.as_slice();
    while let Some((text, taken)) = number(rest) {
        digits.push_str(&text);
        rest = &rest[taken..];
    }
    Some(Read { digits, open: matches!(parts.last(), Some(Part::Ten | Part::Hundred)) })
}

fn part(c: char) -> Option<Part> {
    Some(match c {
        '零' | '〇' | '○' | '洞' => Part::Digit(0),
        '一' | '幺' | '壹' | '么' => Part::Digit(1),
        '二' | '两' | '贰' => Part::Digit(2),
        '三' | '叁' => Part::Digit(3),
        '四' | '肆' => Part::Digit(4),
        '五' | '伍' => Part::Digit(5),
        '六' | '陆' => Part::Digit(6),
        '七' | '柒' | '拐' => Part::Digit(7),
        '八' | '捌' => Part::Digit(8),
        '九' | '玖' | '勾' => Part::Digit(9),
        '十' | '拾' => Part::Ten,
        '百' | '佰' => Part::Hundred,
        '０'..='９' => Part::Digit(u32::from(c) - u32::from('０')),
        _ => Part::Digit(c.to_digit(10)?),
    })
}

/// One digit, or a number below a thousand (二十三, 一百零五, 一百二), from the front; and how many parts it took.
fn number(parts: &[Part]) -> Option<(String, usize)> {
    use Part::{Digit, Hundred, Ten};
    let two = |number: u32| format!("{number}");
    Some(match parts {
        [] => return None,
        [Digit(h), Hundred, Digit(0), Digit(u), ..] => (format!("{h}0{u}"), 4),
        [Digit(h), Hundred, Digit(t), Ten, Digit(u @ 1..), ..] => (format!("{h}{t}{u}"), 5),
        [Digit(h), Hundred, Digit(t), Ten, ..] => (format!("{h}{t}0"), 4),
        [Digit(h), Hundred, Digit(t @ 1..)] => (format!("{h}{t}0"), 3),
        [Digit(h), Hundred, ..] => (format!("{h}00"), 2),
        [Digit(t @ 1..), Ten, Digit(u @ 1..), ..] => (two(t * 10 + u), 3),
        [Digit(t @ 1..), Ten, ..] => (two(t * 10), 2),
        [Ten, Digit(u @ 1..), ..] => (two(10 + u), 2),
        [Ten, ..] => (two(10), 1),
        [Hundred, ..] => (two(100), 1),
        [Digit(digit), ..] => (two(*digit), 1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_as_people_say_them() {
        for (text, expected) in [
            ("四二幺七", "4217"),
            ("４２１７", "4217"),
            ("我的尾号是四二一七，谢谢", "4217"),
            ("后四位是 4217", "4217"),
            ("幺三八〇〇", "13800"),
            ("二十三", "23"),
            ("十", "10"),
            ("十五", "15"),
            ("两百", "200"),
            ("一百零五", "105"),
            ("一百二", "120"),
            ("一百二十三", "123"),
            ("洞拐勾", "079"),
        ] {
            assert_eq!(read(text).map(|read| read.digits).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn other_words_are_not_digits() {
        assert_eq!(read("我要查余额"), None);
        assert_eq!(read("四二苹果"), None);
    }

    #[test]
    fn a_number_that_may_grow_is_open() {
        assert!(read("二十").is_some_and(|read| read.open));
        assert!(read("四二").is_some_and(|read| !read.open));
    }
}
