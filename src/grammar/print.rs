//! Writes a grammar in either form. Reading what was written gives the same grammar.

use std::fmt::Write as _;

use super::ast::{Document, Expansion, Mode, Target};

/// In the ABNF form.
pub fn abnf(document: &Document) -> String {
    let mut text = String::from("#ABNF 1.0 UTF-8;\n");
    let mode = if document.mode == Mode::Dtmf { "dtmf" } else { "voice" };
    let mut header = |name: &str, value: String| _ = writeln!(text, "{name} {value};");
    header("mode", mode.to_owned());
    document.language.iter().for_each(|language| header("language", language.to_string()));
    document.root.iter().for_each(|(root, _)| header("root", format!("${root}")));
    document.tag_format.iter().for_each(|(format, _)| header("tag-format", format!("<{format}>")));
    document.base.iter().for_each(|(base, _)| header("base", format!("<{base}>")));
    for (tag, _) in &document.globals {
        _ = writeln!(text, "{{!{{ {tag} }}!}};");
    }
    for rule in &document.rules {
        let scope = if rule.public { "public " } else { "" };
        _ = writeln!(text, "{scope}${} = {};", rule.name, abnf_expansion(&rule.body, false));
    }
    text
}

/// One expansion; `tight` where it must hold together.
fn abnf_expansion(expansion: &Expansion, tight: bool) -> String {
    let bracketed = |text: String| if tight { format!("({text})") } else { text };
    match expansion {
        Expansion::Token { text, .. } => format!("\"{}\"", text.replace('"', " ")),
        Expansion::Sequence(parts) if parts.is_empty() => "()".to_owned(),
        Expansion::Sequence(parts) => {
            bracketed(parts.iter().map(|part| abnf_expansion(part, true)).collect::<Vec<_>>().join(" "))
        }
        Expansion::OneOf(several) => {
            let weight = |weight: Option<f32>| weight.map_or(String::new(), |weight| format!("/{weight}/ "));
            let one = |(weight, body): (String, String)| weight + &body;
            let several = several.iter().map(|one| (weight(one.weight), abnf_expansion(&one.body, false)));
            format!("({})", several.map(one).collect::<Vec<_>>().join(" | "))
        }
        Expansion::Repeat { body, min, max, probability, .. } => {
            let counts = counts(*min, *max);
            let probability = probability.map_or(String::new(), |likely| format!(" /{likely}/"));
            format!("{}<{counts}{probability}>", grouped(body))
        }
        Expansion::Reference { target, .. } => match target {
            Target::Null => "$NULL".to_owned(),
            Target::Void => "$VOID".to_owned(),
            Target::Garbage => "$GARBAGE".to_owned(),
            Target::Rule(name) => format!("${name}"),
            Target::Uri(uri) => format!("$<{uri}>"),
        },
        Expansion::Tag { text, .. } => format!("{{!{{ {text} }}!}}"),
        Expansion::Spoken { language, body } => format!("{}!{language}", grouped(body)),
    }
}

/// With brackets, unless it holds together by itself. A tag cannot be repeated, so it gets them too.
fn grouped(body: &Expansion) -> String {
    match body {
        Expansion::Token { .. } | Expansion::Reference { .. } | Expansion::OneOf(_) => abnf_expansion(body, true),
        Expansion::Sequence(_) => abnf_expansion(body, true),
        _ => format!("({})", abnf_expansion(body, false)),
    }
}

fn counts(min: u32, max: Option<u32>) -> String {
    match max {
        None => format!("{min}-"),
        Some(max) if max == min => min.to_string(),
        Some(max) => format!("{min}-{max}"),
    }
}

/// In the XML form.
pub fn xml(document: &Document) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let mode = if document.mode == Mode::Dtmf { "dtmf" } else { "voice" };
    _ = write!(text, "<grammar version=\"1.0\" xmlns=\"http://www.w3.org/2001/06/grammar\" mode=\"{mode}\"");
    let mut attribute = |name: &str, value: &str| _ = write!(text, " {name}=\"{}\"", escaped(value));
    document.language.iter().for_each(|language| attribute("xml:lang", language.as_str()));
    document.root.iter().for_each(|(root, _)| attribute("root", root));
    document.tag_format.iter().for_each(|(format, _)| attribute("tag-format", format));
    document.base.iter().for_each(|(base, _)| attribute("xml:base", base));
    text.push_str(">\n");
    for (tag, _) in &document.globals {
        _ = writeln!(text, "  <tag>{}</tag>", escaped(tag));
    }
    for rule in &document.rules {
        let scope = if rule.public { " scope=\"public\"" } else { "" };
        _ = write!(text, "  <rule id=\"{}\"{scope}>", rule.name);
        xml_expansion(&rule.body, &mut text);
        text.push_str("</rule>\n");
    }
    text.push_str("</grammar>\n");
    text
}

fn xml_expansion(expansion: &Expansion, into: &mut String) {
    match expansion {
        Expansion::Token { text, .. } => _ = write!(into, "<token>{}</token>", escaped(text)),
        Expansion::Sequence(parts) if parts.is_empty() => into.push_str("<item/>"),
        Expansion::Sequence(parts) => parts.iter().for_each(|part| xml_expansion(part, into)),
        Expansion::OneOf(several) => {
            into.push_str("<one-of>");
            for one in several {
                let weight = one.weight.map_or(String::new(), |weight| format!(" weight=\"{weight}\""));
                _ = write!(into, "<item{weight}>");
                xml_expansion(&one.body, into);
                into.push_str("</item>");
            }
            into.push_str("</one-of>");
        }
        Expansion::Repeat { body, min, max, probability, .. } => {
            let probability = probability.map_or(String::new(), |likely| format!(" repeat-prob=\"{likely}\""));
            _ = write!(into, "<item repeat=\"{}\"{probability}>", counts(*min, *max));
            xml_expansion(body, into);
            into.push_str("</item>");
        }
        Expansion::Reference { target, .. } => match target {
            Target::Null => into.push_str("<ruleref special=\"NULL\"/>"),
            Target::Void => into.push_str("<ruleref special=\"VOID\"/>"),
            Target::Garbage => into.push_str("<ruleref special=\"GARBAGE\"/>"),
            Target::Rule(name) => _ = write!(into, "<ruleref uri=\"#{name}\"/>"),
            Target::Uri(uri) => _ = write!(into, "<ruleref uri=\"{}\"/>", escaped(uri)),
        },
        Expansion::Tag { text, .. } => _ = write!(into, "<tag>{}</tag>", escaped(text)),
        Expansion::Spoken { language, body } => {
            _ = write!(into, "<item xml:lang=\"{language}\">");
            xml_expansion(body, into);
            into.push_str("</item>");
        }
    }
}

fn escaped(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}
