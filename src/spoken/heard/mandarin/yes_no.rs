//! Mandarin consent and refusal: 对, 是的, 好, 嗯, 没错, 可以; 不, 不是, 不对, 没有, 不用.

use crate::spoken::heard::settle::Reading;
use crate::spoken::heard::words::Words;
use crate::value::Value;

const YES: Option<bool> = Some(true);
const NO: Option<bool> = Some(false);

/// What people say for yes and no, and for neither: phrases that hold either and mean none.
#[rustfmt::skip]
const PHRASES: &[(&str, (Option<bool>, f32))] = &[
    ("是", (YES, 0.92)), ("是的", (YES, 0.98)), ("是啊", (YES, 0.97)), ("是呀", (YES, 0.97)), ("是我", (YES, 0.95)), ("我是", (YES, 0.9)), ("我就是", (YES, 0.97)), ("就是我", (YES, 0.97)), ("是本人", (YES, 0.97)), ("我是本人", (YES, 0.97)), ("本人", (YES, 0.9)),
    ("对", (YES, 0.96)), ("对的", (YES, 0.98)), ("对啊", (YES, 0.97)), ("对呀", (YES, 0.97)), ("对对", (YES, 0.97)), ("对对对", (YES, 0.98)), ("没错", (YES, 0.98)), ("没有错", (YES, 0.97)), ("不错", (YES, 0.8)), ("正确", (YES, 0.97)), ("完全正确", (YES, 0.98)),
    ("好", (YES, 0.93)), ("好的", (YES, 0.97)), ("好啊", (YES, 0.97)), ("好呀", (YES, 0.97)), ("好吧", (YES, 0.88)), ("好嘞", (YES, 0.95)), ("好哒", (YES, 0.95)), ("行", (YES, 0.95)), ("行的", (YES, 0.95)), ("行啊", (YES, 0.95)), ("行吧", (YES, 0.88)), ("成", (YES, 0.85)),
    ("嗯", (YES, 0.85)), ("嗯嗯", (YES, 0.92)), ("恩", (YES, 0.85)), ("嗯对", (YES, 0.97)), ("嗯好", (YES, 0.95)), ("嗯是的", (YES, 0.97)), ("哦好", (YES, 0.93)), ("可以", (YES, 0.93)), ("可以的", (YES, 0.97)), ("可以啊", (YES, 0.97)), ("当然", (YES, 0.97)), ("当然可以", (YES, 0.98)), ("当然是", (YES, 0.97)),
    ("没问题", (YES, 0.96)), ("没有问题", (YES, 0.96)), ("同意", (YES, 0.97)), ("我同意", (YES, 0.98)), ("愿意", (YES, 0.96)), ("我愿意", (YES, 0.97)), ("需要", (YES, 0.92)), ("我需要", (YES, 0.9)), ("要", (YES, 0.88)), ("要的", (YES, 0.95)), ("我要", (YES, 0.8)), ("想", (YES, 0.75)),
    ("有", (YES, 0.85)), ("有的", (YES, 0.93)), ("会", (YES, 0.75)), ("会的", (YES, 0.92)), ("能", (YES, 0.85)), ("能的", (YES, 0.92)), ("确定", (YES, 0.95)), ("我确定", (YES, 0.97)), ("确认", (YES, 0.95)), ("我确认", (YES, 0.97)), ("肯定", (YES, 0.93)), ("必须的", (YES, 0.95)), ("方便", (YES, 0.9)), ("知道", (YES, 0.7)), ("明白", (YES, 0.85)), ("收到", (YES, 0.85)), ("收到了", (YES, 0.85)), ("继续", (YES, 0.8)), ("接受", (YES, 0.95)), ("我接受", (YES, 0.97)), ("真的", (YES, 0.7)), ("应该是", (YES, 0.7)), ("应该是的", (YES, 0.8)), ("就这样", (YES, 0.85)), ("就这么办", (YES, 0.92)), ("那好吧", (YES, 0.88)), ("那行", (YES, 0.92)),
    ("不", (NO, 0.93)), ("不是", (NO, 0.97)), ("不是的", (NO, 0.98)), ("不是我", (NO, 0.97)), ("我不是", (NO, 0.97)), ("不是本人", (NO, 0.97)), ("不对", (NO, 0.97)), ("不对的", (NO, 0.97)), ("错", (NO, 0.85)), ("错了", (NO, 0.93)), ("错误", (NO, 0.93)), ("不正确", (NO, 0.97)), ("不行", (NO, 0.96)), ("不好", (NO, 0.93)), ("不好吧", (NO, 0.93)),
    ("不可以", (NO, 0.97)), ("不能", (NO, 0.93)), ("不要", (NO, 0.97)), ("不要了", (NO, 0.97)), ("我不要", (NO, 0.97)), ("不用", (NO, 0.97)), ("不用了", (NO, 0.98)), ("不必", (NO, 0.95)), ("不必了", (NO, 0.95)), ("不需要", (NO, 0.98)), ("不需要了", (NO, 0.98)), ("我不需要", (NO, 0.98)), ("不想", (NO, 0.93)), ("我不想", (NO, 0.96)), ("不愿意", (NO, 0.97)), ("不同意", (NO, 0.98)), ("我不同意", (NO, 0.98)), ("不接受", (NO, 0.97)), ("不方便", (NO, 0.95)), ("不会", (NO, 0.9)), ("没有", (NO, 0.93)), ("没有了", (NO, 0.93)), ("没", (NO, 0.85)), ("没有啊", (NO, 0.95)), ("还没", (NO, 0.9)), ("还没有", (NO, 0.92)), ("不太行", (NO, 0.9)), ("不太好", (NO, 0.85)), ("不太方便", (NO, 0.93)), ("算了", (NO, 0.9)), ("算了吧", (NO, 0.92)), ("别", (NO, 0.85)), ("别了", (NO, 0.88)), ("免了", (NO, 0.9)), ("否", (NO, 0.95)), ("拒绝", (NO, 0.95)), ("打错了", (NO, 0.95)), ("你打错了", (NO, 0.95)), ("不确定", (None, 0.0)), ("不是很确定", (None, 0.0)), ("不肯定", (None, 0.0)), ("不认识", (NO, 0.85)), ("没收到", (NO, 0.9)), ("没有收到", (NO, 0.9)), ("哪有", (NO, 0.7)), ("不了", (NO, 0.95)), ("不谢谢", (NO, 0.95)), ("不是这样", (NO, 0.95)), ("不成", (NO, 0.93)), ("没空", (NO, 0.9)), ("不在", (NO, 0.85)), ("取消", (NO, 0.6)),
    ("不知道", (None, 0.0)), ("不清楚", (None, 0.0)), ("不明白", (None, 0.0)), ("不懂", (None, 0.0)), ("没听清", (None, 0.0)), ("没听懂", (None, 0.0)), ("没听见", (None, 0.0)), ("听不清", (None, 0.0)), ("不一定", (None, 0.0)), ("是不是", (None, 0.0)), ("对不对", (None, 0.0)), ("好不好", (None, 0.0)), ("行不行", (None, 0.0)), ("要不要", (None, 0.0)), ("能不能", (None, 0.0)), ("可不可以", (None, 0.0)), ("有没有", (None, 0.0)), ("会不会", (None, 0.0)), ("要不", (None, 0.0)), ("是吗", (None, 0.0)), ("可以吗", (None, 0.0)), ("好吗", (None, 0.0)), ("行吗", (None, 0.0)), ("对吗", (None, 0.0)), ("对了吗", (None, 0.0)), ("你说得对", (YES, 0.96)), ("您说得对", (YES, 0.96)), ("对不起", (None, 0.0)), ("不好意思", (None, 0.0)), ("你好", (None, 0.0)), ("您好", (None, 0.0)), ("是什么", (None, 0.0)), ("不过", (None, 0.0)), ("好像", (None, 0.0)), ("我要查", (None, 0.0)), ("我想查", (None, 0.0)), ("我想问", (None, 0.0)), ("我想要", (None, 0.0)), ("最好", (None, 0.0)), ("还是", (None, 0.0)), ("就是", (None, 0.0)), ("现在", (None, 0.0)), ("可能", (None, 0.0)), ("能够", (None, 0.0)), ("一会", (None, 0.0)), ("会议", (None, 0.0)), ("有点", (None, 0.0)), ("有时候", (None, 0.0)), ("只有", (None, 0.0)), ("好多", (None, 0.0)), ("好久", (None, 0.0)), ("行李", (None, 0.0)), ("银行", (None, 0.0)), ("对面", (None, 0.0)), ("什么", (None, 0.0)), ("不客气", (None, 0.0)), ("重要", (None, 0.0)), ("主要", (None, 0.0)), ("只要", (None, 0.0)),
];

/// Said behind an answer without changing it.
const CLOSING: &[&str] =
    &["吧", "啊", "呀", "的", "了", "呢", "哦", "嘛", "哈", "谢谢", "谢谢你", "谢谢您", "没错", "我", "它", "您", "你"];
/// Phrases of two characters and more, this sure, answer whatever follows without a pause.
const WHATEVER_FOLLOWS: f32 = 0.95;

/// What consent or refusal at this place may be: where the utterance begins, or where it ends. In between the same
/// characters are parts of other words.
pub fn at(words: &Words, at: usize) -> Vec<Reading> {
    let Some(((truth, sure), end)) = words.find(at, PHRASES) else { return Vec::new() };
    let Some(truth) = truth else { return vec![Reading::plain(Value::Nothing, end, 0.0)] };
    let first = (0..at).all(|before| matches!(words.get(before), "嗯" | "呃" | "啊" | "哦" | "那" | "噢" | "喂"));
    let another = words.find(end, PHRASES).is_some_and(|((truth, _), _)| truth.is_some());
    // 嗯 before another answer, or before a sentence, is only a breath.
    let breath = matches!(words.get(at), "嗯" | "恩") && end == at + 1 && end < words.len();
    let closed = end == words.len() || another || words.any(end, CLOSING).is_some_and(|(_, last)| last == words.len());
    let pause = words.gap(end);
    let strong = (sure >= WHATEVER_FOLLOWS && end > at + 1) || words.get(at) == "对";
    let (weight, bare) = match (first, closed) {
        _ if breath => return Vec::new(),
        (true, true) => (1.0, sure < 0.8),
        (true, false) if strong || pause => (1.0, false),
        (true, false) if sure >= 0.9 && another => (0.9, true),
        (false, true) if sure >= 0.9 && (end > at + 1 || words.gap(at)) => (1.0, true),
        (false, false) if strong && words.gap(at) => (0.9, true),
        _ => return Vec::new(),
    };
    vec![Reading { value: Value::Boolean(truth), end, sure: sure * weight, bare }]
}
