//! The same graph for other tools: Graphviz and Mermaid.

use std::fmt::Write as _;

use super::model::{Exit, Graph};

/// As Graphviz reads it.
pub fn dot(graph: &Graph) -> String {
    let mut out = format!("digraph {} {{\n  rankdir=LR;\n  node [shape=box, style=rounded];\n", quoted(&graph.name));
    for (place, node) in graph.nodes.iter().enumerate() {
        let shape = if place == graph.start { ", penwidth=3" } else { "" };
        let _ = writeln!(out, "  s{place} [label={}{shape}];", quoted(&format!("{}\n{}", node.name, node.word)));
    }
    for (place, label, to, failure) in ways(graph) {
        let style = if failure { ", style=dashed" } else { "" };
        match to {
            Some(to) => {
                let _ = writeln!(out, "  s{place} -> s{to} [label={}{style}];", quoted(&label));
            }
            None => {
                let _ = writeln!(out, "  s{place} -> end [label={}{style}];", quoted(&label));
            }
        }
    }
    out.push_str("}\n");
    out
}

/// As Mermaid reads it.
pub fn mermaid(graph: &Graph) -> String {
    let plain = |text: &str| text.replace(['"', '`', '|', '\n'], " ").replace('<', "‹").replace('>', "›");
    let mut out = "flowchart LR\n".to_owned();
    for (place, node) in graph.nodes.iter().enumerate() {
        let (open, close) = if place == graph.start { ("([", "])") } else { ("[", "]") };
        let _ = writeln!(out, "  s{place}{open}\"{}<br/><i>{}</i>\"{close}", plain(&node.name), node.word);
    }
    for (place, label, to, failure) in ways(graph) {
        let arrow = if failure { "-.->" } else { "-->" };
        let to = to.map_or_else(|| "end_((end))".to_owned(), |to| format!("s{to}"));
        let _ = writeln!(out, "  s{place} {arrow}|\"{}\"| {to}", plain(&label));
    }
    out
}

fn ways(graph: &Graph) -> impl Iterator<Item = (usize, String, Option<usize>, bool)> {
    graph.nodes.iter().enumerate().flat_map(|(place, node)| {
        let way = move |row: &super::Row| {
            let to = match row.exit {
                Exit::Line(to) | Exit::Named(to) => Some(to),
                Exit::End => None,
            };
            (place, row.labels.join(", "), to, row.failure)
        };
        node.rows.iter().map(way)
    })
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::super::model::tests::large;
    use super::*;

    #[test]
    fn every_way_is_a_line_of_text() {
        let mut graph = large(2);
        graph.nodes[0].name = "a\"b".to_owned();
        let (graphviz, mermaid) = (dot(&graph), mermaid(&graph));
        let rows: usize = graph.nodes.iter().map(|node| node.rows.len()).sum();
        assert_eq!(graphviz.matches(" -> ").count(), rows, "{graphviz}");
        assert!(graphviz.contains("s0 [label=\"a\\\"b\\nmenu\", penwidth=3];"), "{graphviz}");
        assert_eq!(mermaid.lines().filter(|line| line.contains("->|")).count(), rows, "{mermaid}");
        assert!(mermaid.contains("s0([\"a b<br/><i>menu</i>\"])"), "{mermaid}");
    }
}
