//! What people say for the wishes understood at every question.

use super::Universal;
use crate::language::Language;

const OPERATOR_EN: &[&str] = &[
    "operator",
    "agent",
    "a person",
    "a real person",
    "a human",
    "a human being",
    "somebody real",
    "representative",
    "customer service",
    "customer support",
    "receptionist",
    "live agent",
    "talk to a person",
    "talk to someone",
    "talk to somebody",
    "speak to a person",
    "speak to someone",
    "speak with a representative",
    "speak to an agent",
    "talk to a human",
    "talk to a real person",
    "connect me with an agent",
    "put me through to someone",
    "transfer me to an operator",
    "get me a person",
    "is there anyone i can talk to",
];

const REPEAT_EN: &[&str] = &[
    "repeat",
    "repeat that",
    "say that again",
    "say it again",
    "could you repeat that",
    "come again",
    "one more time",
    "once more",
    "again",
    "again please",
    "pardon",
    "pardon me",
    "beg your pardon",
    "what",
    "what did you say",
    "what was that",
    "what were the options",
    "what are my options",
    "i did not hear you",
    "i did not hear that",
    "i did not catch that",
    "i did not understand",
    "i can not hear you",
    "repeat the options",
    "sorry what",
];

const BACK_EN: &[&str] = &[
    "back",
    "go back",
    "previous",
    "previous menu",
    "previous question",
    "last menu",
    "back to the last menu",
    "return to the previous menu",
    "one step back",
    "start over from the last question",
];

const OPERATOR_ZH: &[&str] = &[
    "人工",
    "人工服务",
    "转人工",
    "人工客服",
    "接线员",
    "客服",
    "找客服",
    "找人工",
    "找个人",
    "真人",
    "跟人说话",
    "我要人工服务",
    "转接人工",
    "叫个人来",
    "话务员",
];

const REPEAT_ZH: &[&str] = &[
    "再说一遍",
    "再说一次",
    "重复",
    "重复一遍",
    "重复一下",
    "没听清",
    "我没听清楚",
    "没听见",
    "没听懂",
    "你说什么",
    "什么",
    "再来一遍",
    "请再说一遍",
];

const BACK_ZH: &[&str] =
    &["返回", "返回上一级", "上一步", "回去", "退回", "回到上一个菜单", "返回上一层", "上一个问题"];

/// The built-in phrases of one wish; empty in a language that has none.
pub fn phrases(universal: Universal, language: &Language) -> &'static [&'static str] {
    match (language.primary(), universal) {
        ("en", Universal::Operator) => OPERATOR_EN,
        ("en", Universal::Repeat) => REPEAT_EN,
        ("en", Universal::Back) => BACK_EN,
        ("zh" | "cmn", Universal::Operator) => OPERATOR_ZH,
        ("zh" | "cmn", Universal::Repeat) => REPEAT_ZH,
        ("zh" | "cmn", Universal::Back) => BACK_ZH,
        _ => &[],
    }
}
