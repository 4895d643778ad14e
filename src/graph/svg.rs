//! The picture: one SVG file without scripts, readable by day and by night, whose names are links within it.

use std::fmt::Write as _;

use super::layout::{BELOW_WORDS, FIGURES, HEAD, LINE, Layout, MARGIN, ROW, WIDTH, fitting, text_width};
use super::model::{Exit, Graph, Kind, Node, Row};
use super::traffic::{StepTraffic, Traffic};

/// Sizes of letters, in pixels.
const NAME: f64 = 13.0;
const SMALL: f64 = 11.0;
/// How much wider heavy letters are.
const BOLD: f64 = 1.12;
/// How far in from the side of a box its words begin.
const INSET: f64 = 14.0;
/// Widest line, for the way that most callers take.
const WIDEST: f64 = 7.0;
/// The square where a call ends.
const END_SIGN: f64 = 7.0;
/// So many of those who came leave here, and the step is marked: 0..1.
const MANY_LEAVE: f64 = 0.1;

/// How things look by day, and the same by night. Written out: programs that draw SVG outside a browser know no
/// variables, and paint black what is given by one. Colours of steps are those of their [`class`]es.
const STYLE: &str = "\
svg{font-family:ui-sans-serif,system-ui,'Noto Sans','Noto Sans CJK SC','PingFang SC','Microsoft YaHei',sans-serif}
text{font-size:11px}a{text-decoration:none}.name{font-size:13px;font-weight:600}.word{font-weight:600}
.head{opacity:.1}.wire{fill:none;stroke-width:1.4}.wire.fail{stroke-dasharray:4 3}
.leave{font-weight:600}.title{font-size:20px;font-weight:700}";
const DAY: [(&str, &str); 12] = [
    (".page", "fill:#fcfcfd"),
    ("text,.begin", "fill:#1d2330"),
    (".soft", "fill:#5d6679"),
    (".box", "fill:#ffffff;stroke:#d5dae3"),
    (".rule", "stroke:#d5dae3"),
    (".wire", "stroke:#9aa5b8"),
    (".port,.tip", "fill:#9aa5b8"),
    (".wire.fail", "stroke:#b9795f"),
    (".port.fail,.tip.fail", "fill:#b9795f"),
    (".leave", "fill:#c8372d"),
    (".here:target .box", "stroke:#1d2330;stroke-width:2.5"),
    ("svg", "background:#fcfcfd"),
];
const NIGHT: [(&str, &str); 12] = [
    (".page", "fill:#12151b"),
    ("text,.begin", "fill:#e6e9ef"),
    (".soft", "fill:#99a3b5"),
    (".box", "fill:#1b2029;stroke:#343c4a"),
    (".rule", "stroke:#343c4a"),
    (".wire", "stroke:#5d6980"),
    (".port,.tip", "fill:#5d6980"),
    (".wire.fail", "stroke:#d59a80"),
    (".port.fail,.tip.fail", "fill:#d59a80"),
    (".leave", "fill:#ff7a6e"),
    (".here:target .box", "stroke:#e6e9ef;stroke-width:2.5"),
    ("svg", "background:#12151b"),
];
/// Kinds of steps by day and by night.
const KINDS: [(Kind, &str, &str); 7] = [
    (Kind::Says, "#3f74c9", "#7fabf5"),
    (Kind::Asks, "#16897b", "#4cc7b6"),
    (Kind::Decides, "#a8741a", "#e0ae58"),
    (Kind::Looks, "#7c58c2", "#b79bf2"),
    (Kind::Hands, "#c2528b", "#ee93bf"),
    (Kind::Notes, "#4f7d2f", "#97c774"),
    (Kind::Ends, "#5d6675", "#a3adbd"),
];

/// The whole style sheet.
fn style() -> String {
    let rules = |night: bool| {
        let plain = if night { NIGHT } else { DAY };
        let mut rules: String = plain.iter().map(|(what, how)| format!("{what}{{{how}}}\n")).collect();
        for (kind, day, dark) in KINDS {
            let (class, colour) = (class(kind), if night { dark } else { day });
            let _ = writeln!(
                rules,
                ".{class}>.bar,.{class}>.head,.{class}>.word,.{class}>.go,.{class}>.stop{{fill:{colour}}}"
            );
        }
        rules
    };
    format!("{STYLE}\n{}@media(prefers-color-scheme:dark){{\n{}}}", rules(false), rules(true))
}

/// Draws it.
pub fn svg(graph: &Graph, layout: &Layout, traffic: Option<&Traffic>) -> String {
    let (width, height) = (layout.width.ceil(), layout.height.ceil());
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
         <title>{}</title>\n<style>{}</style>\n<rect class=\"page\" width=\"{width}\" height=\"{height}\"/>\n",
        escaped(&format!("Dial plan {}", graph.name)),
        style()
    );
    title(&mut out, graph, layout, traffic);
    let most = traffic.map_or(0, |traffic| traffic.ways.values().copied().max().unwrap_or(0));
    out.push_str("<g>\n");
    for wire in &layout.wires {
        let row = &graph.nodes[wire.from.0].rows[wire.from.1];
        let gone = traffic.map(|traffic| traffic.way(&graph.nodes[wire.from.0], row, graph));
        draw_wire(&mut out, &wire.points, row.failure, gone.map(|gone| (gone, most)));
    }
    out.push_str("</g>\n");
    for (place, node) in graph.nodes.iter().enumerate() {
        draw_box(&mut out, graph, layout, place, node, traffic);
    }
    out.push_str("</svg>\n");
    out
}

fn title(out: &mut String, graph: &Graph, layout: &Layout, traffic: Option<&Traffic>) {
    let (x, y) = (MARGIN, MARGIN + 14.0);
    let _ = writeln!(out, "<text class=\"title\" x=\"{x}\" y=\"{y}\">{}</text>", escaped(&graph.name));
    let mut below = format!("version {} · {} steps · {}", graph.version, graph.nodes.len(), graph.languages.join(", "));
    if let Some(traffic) = traffic {
        let _ = write!(below, " · {} calls", traffic.calls);
        if let (Some(from), Some(to)) = (&traffic.from, &traffic.to) {
            let _ = write!(below, ", {from} to {to}");
        }
        if traffic.other_versions > 0 {
            let _ = write!(below, " · {} of them under other versions of the plan", traffic.other_versions);
        }
    }
    let _ = writeln!(out, "<text class=\"soft\" x=\"{x}\" y=\"{}\">{}</text>", y + 20.0, escaped(&below));
    // The legend, where there is room for it beside the name.
    let known = [
        (Kind::Says, "says"),
        (Kind::Asks, "asks"),
        (Kind::Decides, "decides"),
        (Kind::Looks, "asks systems"),
        (Kind::Hands, "hands on"),
        (Kind::Notes, "takes down"),
        (Kind::Ends, "ends"),
    ];
    let used = known.iter().filter(|(kind, _)| graph.nodes.iter().any(|node| node.kind == *kind));
    let wide = |word: &str| text_width(word, SMALL) + 30.0;
    let total: f64 = used.clone().map(|(_, word)| wide(word)).sum();
    let mut at = layout.width - MARGIN - total;
    if at < x + text_width(&graph.name, 20.0) + 40.0 {
        return;
    }
    for (kind, word) in used {
        let _ = writeln!(
            out,
            "<g class=\"{}\"><rect class=\"bar\" x=\"{at:.1}\" y=\"{:.1}\" width=\"12\" height=\"12\" rx=\"3\"/><text class=\"soft\" x=\"{:.1}\" y=\"{:.1}\">{word}</text></g>",
            class(*kind),
            y - 10.0,
            at + 17.0,
            y
        );
        at += wide(word);
    }
}

/// A line that leaves level, passes layers level, and arrives level.
fn draw_wire(out: &mut String, points: &[(f64, f64)], failure: bool, gone: Option<(u64, u64)>) {
    let fail = if failure { " fail" } else { "" };
    let mut path = String::new();
    for (number, (x, y)) in points.iter().enumerate() {
        let before = number.checked_sub(1).map(|before| points[before]);
        let end = number + 1 == points.len();
        // The tip has room of its own.
        let x = if end { x - 7.0 } else { *x };
        let _ = match before {
            None => write!(path, "M{x:.1} {y:.1}"),
            Some((_, same)) if (same - y).abs() < 0.05 => write!(path, "L{x:.1} {y:.1}"),
            Some((from_x, from_y)) => {
                let bend = ((x - from_x) * 0.5).max(18.0);
                write!(path, "C{:.1} {from_y:.1} {:.1} {y:.1} {x:.1} {y:.1}", from_x + bend, x - bend)
            }
        };
    }
    let width = match gone {
        Some((0, _)) => "stroke-width:1;opacity:.45".to_owned(),
        Some((gone, most)) if most > 0 => {
            format!("stroke-width:{:.1}", 1.2 + (WIDEST - 1.2) * (gone as f64 / most as f64).sqrt())
        }
        _ => String::new(),
    };
    let style = if width.is_empty() { String::new() } else { format!(" style=\"{width}\"") };
    let _ = writeln!(out, "<path class=\"wire{fail}\" d=\"{path}\"{style}/>");
    if let (Some((x, y)), Some((from_x, from_y))) = (points.last(), points.first()) {
        let _ = writeln!(
            out,
            "<circle class=\"port{fail}\" cx=\"{from_x:.1}\" cy=\"{from_y:.1}\" r=\"3\"/><path class=\"tip{fail}\" d=\"M{:.1} {:.1}L{x:.1} {y:.1}L{:.1} {:.1}Z\"/>",
            x - 8.0,
            y - 4.0,
            x - 8.0,
            y + 4.0
        );
    }
}

fn draw_box(out: &mut String, graph: &Graph, layout: &Layout, place: usize, node: &Node, traffic: Option<&Traffic>) {
    let placed = &layout.boxes[place];
    let (x, y) = (placed.x, placed.y);
    let _ = writeln!(
        out,
        "<g id=\"{}\" class=\"here {}\"><title>{}</title>",
        id(graph, place),
        class(node.kind),
        escaped(&full(node))
    );
    let _ = writeln!(
        out,
        "<rect class=\"box\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{WIDTH}\" height=\"{:.1}\" rx=\"8\"/>\
         <path class=\"head\" d=\"M{x:.1} {:.1}v-{:.1}a8 8 0 0 1 8 -8h{:.1}a8 8 0 0 1 8 8v{:.1}z\"/>\
         <path class=\"bar\" d=\"M{:.1} {y:.1}h-0a8 8 0 0 0 -8 8v{:.1}a8 8 0 0 0 8 8h-3v-{:.1}z\"/>",
        placed.height,
        y + HEAD,
        HEAD - 8.0,
        WIDTH - 16.0,
        HEAD - 8.0,
        x + 8.0,
        placed.height - 16.0,
        placed.height,
    );
    let word_width = text_width(node.word, SMALL) * BOLD;
    let begins = place == graph.start;
    let room = WIDTH - INSET * 2.0 - word_width - 10.0 - if begins { 16.0 } else { 0.0 };
    let name = fitting(&node.name, room / BOLD, NAME);
    let mut left = x + INSET;
    if begins {
        // ▶ marks where calls begin.
        let _ = writeln!(out, "<path class=\"begin\" d=\"M{left:.1} {:.1}l9 5.5l-9 5.5z\"/>", y + 9.5);
        left += 15.0;
    }
    let _ = writeln!(
        out,
        "<text class=\"name\" x=\"{left:.1}\" y=\"{:.1}\">{}</text><text class=\"word\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
        y + 20.0,
        escaped(&name),
        x + WIDTH - INSET,
        y + 19.5,
        node.word
    );
    let mut at = y + HEAD;
    if let Some(traffic) = traffic {
        figures(out, x, at, traffic.step(&node.name));
        at += FIGURES;
    }
    for line in &placed.lines {
        at += LINE;
        let _ = writeln!(out, "<text class=\"soft\" x=\"{:.1}\" y=\"{at:.1}\">{}</text>", x + INSET, escaped(line));
    }
    at += BELOW_WORDS;
    for row in &node.rows {
        draw_row(out, (x, at), graph, node, row, traffic);
        at += ROW;
    }
    out.push_str("</g>\n");
}

fn draw_row(out: &mut String, (x, y): (f64, f64), graph: &Graph, node: &Node, row: &Row, traffic: Option<&Traffic>) {
    let base = y + ROW * 0.5 + 4.0;
    let right = match row.exit {
        Exit::Line(_) => String::new(),
        Exit::Named(to) => format!("↪ {}", graph.nodes[to].name),
        Exit::End => "end".to_owned(),
    };
    let count = traffic.map(|traffic| traffic.way(node, row, graph)).filter(|_| !matches!(row.exit, Exit::End));
    let count = count.map_or_else(String::new, |count| if count > 0 { thousands(count) } else { String::new() });
    let room = WIDTH - INSET * 2.0;
    let count_width = if count.is_empty() { 0.0 } else { text_width(&count, SMALL) + 8.0 };
    let right = fitting(&right, room * 0.5, SMALL);
    let ends = matches!(row.exit, Exit::End);
    let sign = if ends { END_SIGN + 5.0 } else { 0.0 };
    let right_width = if right.is_empty() { 0.0 } else { text_width(&right, SMALL) + sign + 10.0 };
    let label = fitting(&row.labels.join(", "), room - right_width - count_width, SMALL);
    let soft = if row.failure { " class=\"soft\"" } else { "" };
    let _ = writeln!(
        out,
        "<path class=\"rule\" d=\"M{:.1} {y:.1}h{:.1}\"/><text{soft} x=\"{:.1}\" y=\"{base:.1}\">{}</text>",
        x + INSET,
        WIDTH - INSET * 2.0,
        x + INSET,
        escaped(&label)
    );
    let end = x + WIDTH - INSET;
    if !right.is_empty() {
        let text =
            format!("<text class=\"go\" x=\"{end:.1}\" y=\"{base:.1}\" text-anchor=\"end\">{}</text>", escaped(&right));
        let _ = match row.exit {
            Exit::Named(to) => writeln!(
                out,
                "<a href=\"#{}\" class=\"{}\"><title>{}</title>{text}</a>",
                id(graph, to),
                class(graph.nodes[to].kind),
                escaped(&graph.nodes[to].name)
            ),
            // ■ is drawn, as few fonts have it.
            _ => writeln!(
                out,
                "<g class=\"ends\">{text}<rect class=\"stop\" x=\"{:.1}\" y=\"{:.1}\" width=\"{END_SIGN}\" \
                 height=\"{END_SIGN}\" rx=\"1\"/></g>",
                end - right_width + 10.0,
                base - END_SIGN - 0.5
            ),
        };
    }
    if !count.is_empty() {
        let at = if right.is_empty() { end } else { end - right_width };
        let _ = writeln!(out, "<text class=\"soft\" x=\"{at:.1}\" y=\"{base:.1}\" text-anchor=\"end\">{count}</text>");
    }
}

/// `1,204 in   37 left (3 %)   12 s`
fn figures(out: &mut String, x: f64, y: f64, step: Option<&StepTraffic>) {
    let Some(step) = step.filter(|step| step.entered > 0) else {
        let _ =
            writeln!(out, "<text class=\"soft\" x=\"{:.1}\" y=\"{:.1}\">nobody came here</text>", x + INSET, y + 14.0);
        return;
    };
    let share = step.left as f64 / step.entered as f64;
    let came = format!("{} came", thousands(step.entered));
    let _ = write!(out, "<text x=\"{:.1}\" y=\"{:.1}\">{came}", x + INSET, y + 14.0);
    if step.left > 0 {
        let class = if share >= MANY_LEAVE { "leave" } else { "soft" };
        let _ = write!(
            out,
            "<tspan class=\"{class}\" dx=\"9\">{} left ({:.0} %)</tspan>",
            thousands(step.left),
            (share * 100.0).max(1.0)
        );
    }
    if let Some(median) = step.median_s {
        let time = if median < 9.95 { format!("{median:.1} s") } else { format!("{median:.0} s") };
        let _ = write!(out, "<tspan class=\"soft\" dx=\"9\">{time}</tspan>");
    }
    out.push_str("</text>\n");
}

/// Everything in words, for whoever points at a box.
fn full(node: &Node) -> String {
    let ways: Vec<String> = node.rows.iter().map(|row| row.labels.join(", ")).collect();
    format!("{} ({})\n{}\n{}", node.name, node.word, node.words, ways.join("\n"))
}

const fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Says => "says",
        Kind::Asks => "asks",
        Kind::Decides => "decides",
        Kind::Looks => "looks",
        Kind::Hands => "hands",
        Kind::Notes => "notes",
        Kind::Ends => "ends",
    }
}

/// A name that links can have: letters and digits of the name, and its place, so that no two are alike.
fn id(graph: &Graph, place: usize) -> String {
    let name = &graph.nodes[place].name;
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    format!("s{place}-{plain}")
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = {
        let first = digits.len() % 3;
        let (head, rest) = digits.split_at(first);
        let rest = (0..rest.len()).step_by(3).map(|at| &rest[at..at + 3]);
        std::iter::once(head).filter(|head| !head.is_empty()).chain(rest).collect()
    };
    groups.join(",")
}

/// Text as XML has it; what XML cannot hold is left out.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' => safe.push('\n'),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => {}
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use quick_xml::Reader;
    use quick_xml::events::Event;

    use super::super::layout::layout;
    use super::super::model::tests::large;
    use super::*;

    /// Every text with its left and right end and its base line, read from the picture itself.
    fn texts(svg: &str) -> Vec<(f64, f64, f64, String)> {
        let mut reader = Reader::from_str(svg);
        let (mut open, mut found) = (None, Vec::new());
        loop {
            match reader.read_event().expect("well formed") {
                Event::Start(start) if start.name().into_inner() == "text" => {
                    let number = |name: &str| {
                        start.try_get_attribute(name).unwrap().map(|value| value.value.parse::<f64>().unwrap())
                    };
                    let end = start.try_get_attribute("text-anchor").unwrap().is_some();
                    let named = start.try_get_attribute("class").unwrap().is_some_and(|class| &*class.value == "name");
                    open = Some((
                        number("x").unwrap(),
                        number("y").unwrap(),
                        end,
                        if named { NAME } else { SMALL },
                        String::new(),
                    ));
                }
                Event::Text(text) => {
                    if let Some((.., words)) = &mut open {
                        words.push_str(&text);
                    }
                }
                Event::End(end) if end.name().into_inner() == "text" => {
                    let (x, y, end, size, words) = open.take().unwrap();
                    let width = text_width(&words, size);
                    found.push(if end { (x - width, x, y, words) } else { (x, x + width, y, words) });
                }
                Event::Eof => return found,
                _ => {}
            }
        }
    }

    #[test]
    fn no_text_stands_on_another_or_leaves_its_box() {
        let graph = large(60);
        let places = layout(&graph, false);
        let drawn = svg(&graph, &places, None);
        let all = texts(&drawn);
        assert!(all.len() > 300, "{}", all.len());
        for (number, (left, right, y, words)) in all.iter().enumerate() {
            for (other_left, other_right, other_y, other) in &all[number + 1..] {
                let apart = right <= other_left || other_right <= left || (y - other_y).abs() >= 10.0;
                assert!(apart, "`{words}` and `{other}` at {y}");
            }
            let home = places.boxes.iter().find(|placed| {
                placed.x <= *left
                    && *left <= placed.x + placed.width
                    && placed.y <= *y
                    && *y <= placed.y + placed.height
            });
            if let Some(home) = home {
                assert!(*right <= home.x + home.width + 0.5, "`{words}` leaves its box");
            }
        }
    }

    #[test]
    fn the_end_of_a_call_is_drawn_and_no_letter_that_fonts_lack() {
        let plan = "dialplan: 1\nlanguages: [en-US]\nstart: hi\nsteps:\n  hi: { say: { text: Hello., go: $end } }\n";
        let graph = Graph::of(&crate::dialplan::load::load_str("small", plan).unwrap().plan);
        let drawn = svg(&graph, &layout(&graph, false), None);
        let ends = graph.nodes.iter().flat_map(|node| &node.rows).filter(|row| matches!(row.exit, Exit::End)).count();
        assert!(ends > 0);
        assert_eq!(drawn.matches("class=\"stop\"").count(), ends);
        assert!(!drawn.contains('⏹'), "{drawn}");
    }

    #[test]
    fn words_of_a_plan_cannot_break_out_of_the_picture() {
        let mut graph = large(1);
        graph.name = "<script>alert(1)</script>&\u{0}".to_owned();
        graph.nodes[0].words = "\"]]><a onload=x>".to_owned();
        graph.nodes[0].name = "a\" onmouseover=\"x".to_owned();
        let drawn = svg(&graph, &layout(&graph, false), None);
        assert!(
            !drawn.contains("<script") && !drawn.contains("<a onload") && !drawn.contains("onmouseover=\"x"),
            "{drawn}"
        );
        texts(&drawn);
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), text);
        }
    }
}
