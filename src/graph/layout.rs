//! Where everything stands: layers from left to right (Sugiyama, Tagawa and Toda 1981).
//!
//! ```text
//!   layers      longest way from the start            ▢──▢──▢
//!   waypoints   lines that pass a layer stand in it    ▢───·──▢
//!   order       by the middle of their neighbours, up and down again, best of all sweeps kept
//!   heights     least squares to the neighbours, in that order, nothing on top of anything
//! ```
//!
//! Lines begin at the right of their row and end at the left of a box: no label stands on a line.

use super::model::{Exit, Graph, Kind};

/// Width of a box, in pixels.
pub(super) const WIDTH: f64 = 272.0;
/// Height of its head, of a line of words, and of a row.
pub(super) const HEAD: f64 = 30.0;
pub(super) const LINE: f64 = 15.0;
/// Between the last line of words and the rule above the first row: what hangs below a line, and a little.
pub(super) const BELOW_WORDS: f64 = 7.0;
pub(super) const ROW: f64 = 19.0;
/// Room for figures under the head.
pub(super) const FIGURES: f64 = 20.0;
/// Empty space inside a box, below.
pub(super) const PAD: f64 = 8.0;
/// Between layers, between boxes, around lines that pass, and around it all.
const GUTTER: f64 = 84.0;
const APART: f64 = 26.0;
const LINE_APART: f64 = 12.0;
/// Widest band in which nothing stands.
const BAND: f64 = 48.0;
pub(super) const MARGIN: f64 = 32.0;
pub(super) const TITLE: f64 = 58.0;
/// Rounds of ordering and of straightening.
const SWEEPS: usize = 24;
const STRAIGHTENINGS: usize = 40;

/// A box and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// Left, top, width, height.
    pub x: f64,
    /// Top.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
    /// Its words, broken into lines.
    pub lines: Vec<String>,
}

/// A line from a row to a box.
#[derive(Clone, Debug, PartialEq)]
pub struct Wire {
    /// From this box and this row of it.
    pub from: (usize, usize),
    /// To this box.
    pub to: usize,
    /// Where it passes, in order; it is level across each layer it passes.
    pub points: Vec<(f64, f64)>,
}

/// All places.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    /// Of the picture.
    pub width: f64,
    /// Of the picture.
    pub height: f64,
    /// In the order of the graph's nodes.
    pub boxes: Vec<Placed>,
    /// Lines.
    pub wires: Vec<Wire>,
}

/// Something that stands in a layer: a box, or a line that passes.
#[derive(Clone, Debug)]
struct Item {
    layer: usize,
    height: f64,
    /// The box; `None` for a line.
    node: Option<usize>,
    /// Neighbours in the layer before and after: the item, and how far below its top the line meets it, here and there.
    left: Vec<(usize, f64, f64)>,
    right: Vec<(usize, f64, f64)>,
    y: f64,
}

/// Lays a graph out; with room for figures under each head, where `figures` asks for it.
pub fn layout(graph: &Graph, figures: bool) -> Layout {
    let lines: Vec<Vec<String>> = graph.nodes.iter().map(|node| broken(&node.words, WIDTH - 24.0, 11.0, 3)).collect();
    let top =
        |place: usize| HEAD + if figures { FIGURES } else { 0.0 } + lines[place].len() as f64 * LINE + BELOW_WORDS;
    let height = |place: usize| top(place) + graph.nodes[place].rows.len() as f64 * ROW + PAD;
    let layer_of = layers(graph);
    let mut items: Vec<Item> = (0..graph.nodes.len())
        .map(|place| Item {
            layer: layer_of[place],
            height: height(place),
            node: Some(place),
            left: Vec::new(),
            right: Vec::new(),
            y: 0.0,
        })
        .collect();
    let wires = thread(graph, &layer_of, &top, &mut items);
    let count = items.iter().map(|item| item.layer + 1).max().unwrap_or(0);
    let mut order: Vec<Vec<usize>> = vec![Vec::new(); count];
    // File order is the author's, and a good beginning.
    (0..items.len()).for_each(|item| order[items[item].layer].push(item));
    sort(&items, &mut order);
    straighten(&mut items, &order);
    close_gaps(&mut items);
    let highest = items.iter().map(|item| item.y).fold(f64::INFINITY, f64::min);
    let shift = if highest.is_finite() { TITLE + MARGIN - highest } else { 0.0 };
    let column = |layer: usize| MARGIN + layer as f64 * (WIDTH + GUTTER);
    let boxes: Vec<Placed> = (0..graph.nodes.len())
        .map(|place| Placed {
            x: column(layer_of[place]),
            y: items[place].y + shift,
            width: WIDTH,
            height: items[place].height,
            lines: lines[place].clone(),
        })
        .collect();
    let wires = wires
        .into_iter()
        .map(|(from, to, passes)| {
            let start = &boxes[from.0];
            let mut points = vec![(start.x + WIDTH, start.y + top(from.0) + (from.1 as f64 + 0.5) * ROW)];
            for item in passes {
                let (x, y) = (column(items[item].layer), items[item].y + shift + items[item].height / 2.0);
                points.extend([(x, y), (x + WIDTH, y)]);
            }
            points.push((boxes[to].x, boxes[to].y + HEAD / 2.0));
            Wire { from, to, points }
        })
        .collect();
    let low = boxes.iter().map(|placed| placed.y + placed.height).fold(TITLE + MARGIN, f64::max);
    let lowest = items.iter().map(|item| item.y + shift + item.height).fold(low, f64::max);
    Layout { width: column(count.max(1)) - GUTTER + MARGIN, height: lowest + MARGIN, boxes, wires }
}

/// Longest way from where nothing leads. What is reached by name only would stand before everything: it stands behind
/// whoever leads there first, ends a little further off.
pub(super) fn layers(graph: &Graph) -> Vec<usize> {
    let layers = longest(graph, vec![0; graph.nodes.len()]);
    let mut led_by_line = vec![false; graph.nodes.len()];
    let mut named_by: Vec<Option<usize>> = vec![None; graph.nodes.len()];
    for (place, row) in
        graph.nodes.iter().enumerate().flat_map(|(place, node)| node.rows.iter().map(move |row| (place, row)))
    {
        match row.exit {
            Exit::Line(to) => led_by_line[to] = true,
            Exit::Named(to) => {
                let layer = named_by[to].map_or(layers[place], |known| known.min(layers[place]));
                named_by[to] = Some(layer);
            }
            Exit::End => {}
        }
    }
    let last = layers.iter().copied().max().unwrap_or(0);
    let begins = |place: usize| match named_by[place] {
        _ if led_by_line[place] || place == graph.start => 0,
        None => 0,
        Some(layer) if graph.nodes[place].kind == Kind::Ends => last.min(layer + 2),
        Some(layer) => layer + 1,
    };
    longest(graph, (0..graph.nodes.len()).map(begins).collect())
}

/// One layer behind the last that leads there by a line, and none before its first.
fn longest(graph: &Graph, mut layers: Vec<usize>) -> Vec<usize> {
    let mut waits = vec![0_usize; graph.nodes.len()];
    let lines = |place: usize| {
        graph.nodes[place].rows.iter().filter_map(|row| match row.exit {
            Exit::Line(to) => Some(to),
            Exit::Named(_) | Exit::End => None,
        })
    };
    (0..graph.nodes.len()).for_each(|place| lines(place).for_each(|to| waits[to] += 1));
    let mut ready: Vec<usize> = (0..graph.nodes.len()).filter(|place| waits[*place] == 0).collect();
    while let Some(place) = ready.pop() {
        for to in lines(place) {
            layers[to] = layers[to].max(layers[place] + 1);
            waits[to] -= 1;
            if waits[to] == 0 {
                ready.push(to);
            }
        }
    }
    layers
}

type Threaded = ((usize, usize), usize, Vec<usize>);

/// Puts a waypoint into each layer that a line passes, and makes neighbours of what it joins.
fn thread(graph: &Graph, layer_of: &[usize], top: &dyn Fn(usize) -> f64, items: &mut Vec<Item>) -> Vec<Threaded> {
    let mut wires = Vec::new();
    for (place, node) in graph.nodes.iter().enumerate() {
        for (number, row) in node.rows.iter().enumerate() {
            let Exit::Line(to) = row.exit else { continue };
            let port = top(place) + (number as f64 + 0.5) * ROW;
            let mut before = (place, port);
            let mut passes = Vec::new();
            for layer in layer_of[place] + 1..layer_of[to] {
                let item = items.len();
                items.push(Item { layer, height: LINE_APART, node: None, left: Vec::new(), right: Vec::new(), y: 0.0 });
                join(items, before, (item, LINE_APART / 2.0));
                before = (item, LINE_APART / 2.0);
                passes.push(item);
            }
            join(items, before, (to, HEAD / 2.0));
            wires.push(((place, number), to, passes));
        }
    }
    wires
}

fn join(items: &mut [Item], (one, from): (usize, f64), (other, to): (usize, f64)) {
    items[one].right.push((other, from, to));
    items[other].left.push((one, to, from));
}

/// Orders each layer by the middle of its neighbours, there and back, and keeps the order with the fewest crossings.
fn sort(items: &[Item], order: &mut Vec<Vec<usize>>) {
    let mut place = vec![0.0; items.len()];
    order.iter().for_each(|layer| number(layer, &mut place));
    let mut best = order.clone();
    let mut fewest = crossings(items, order, &place);
    for sweep in 0..SWEEPS {
        let forward = sweep % 2 == 0;
        let layers: Vec<usize> =
            if forward { (1..order.len()).collect() } else { (0..order.len().saturating_sub(1)).rev().collect() };
        for layer in layers {
            let middle = |item: usize| {
                let near = if forward { &items[item].left } else { &items[item].right };
                let sum: f64 = near.iter().map(|(other, _, there)| place[*other] + there / 10_000.0).sum();
                if near.is_empty() { place[item] } else { sum / near.len() as f64 }
            };
            let mut keyed: Vec<(f64, usize)> = order[layer].iter().map(|item| (middle(*item), *item)).collect();
            keyed.sort_by(|one, other| one.0.total_cmp(&other.0));
            order[layer] = keyed.into_iter().map(|(_, item)| item).collect();
            number(&order[layer], &mut place);
        }
        swap_neighbours(items, order, &mut place);
        let now = crossings(items, order, &place);
        if now < fewest {
            (fewest, best) = (now, order.clone());
        }
        if fewest == 0 {
            break;
        }
    }
    *order = best;
}

/// Tells everything in a layer where it stands there.
fn number(layer: &[usize], place: &mut [f64]) {
    layer.iter().enumerate().for_each(|(at, item)| place[*item] = at as f64);
}

/// Swaps neighbours where that undoes crossings.
fn swap_neighbours(items: &[Item], order: &mut [Vec<usize>], place: &mut [f64]) {
    for layer in order {
        for at in 1..layer.len() {
            let (upper, lower) = (layer[at - 1], layer[at]);
            let count = |one: usize, other: usize| {
                let pairs = |near: fn(&Item) -> &Vec<(usize, f64, f64)>| {
                    let key = |(item, _, there): &(usize, f64, f64)| place[*item] + there / 10_000.0;
                    let (one, other) = (near(&items[one]), near(&items[other]));
                    one.iter()
                        .map(|first| other.iter().filter(|second| key(first) > key(second)).count())
                        .sum::<usize>()
                };
                pairs(|item| &item.left) + pairs(|item| &item.right)
            };
            if count(lower, upper) < count(upper, lower) {
                layer.swap(at - 1, at);
                number(layer, place);
            }
        }
    }
}

/// How often lines cross between neighbouring layers: of all lines in the order of their beginnings, how many pairs end
/// the other way round.
fn crossings(items: &[Item], order: &[Vec<usize>], place: &[f64]) -> usize {
    let mut count = 0;
    for layer in order {
        let mut ends: Vec<(f64, f64)> = Vec::new();
        for item in layer {
            for (other, here, there) in &items[*item].right {
                ends.push((place[*item] + here / 10_000.0, place[*other] + there / 10_000.0));
            }
        }
        ends.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.total_cmp(&other.1)));
        let mut ends: Vec<f64> = ends.into_iter().map(|(_, end)| end).collect();
        count += turned(&mut ends);
    }
    count
}

/// Pairs that stand the wrong way round; sorts them, by merging.
fn turned(ends: &mut [f64]) -> usize {
    if ends.len() < 2 {
        return 0;
    }
    let middle = ends.len() / 2;
    let mut count = turned(&mut ends[..middle]) + turned(&mut ends[middle..]);
    let (first, second) = (ends[..middle].to_vec(), ends[middle..].to_vec());
    let (mut one, mut other) = (0, 0);
    for end in ends {
        let from_first = one < first.len() && (other == second.len() || first[one] <= second[other]);
        *end = if from_first { first[one] } else { second[other] };
        if from_first {
            one += 1;
        } else {
            other += 1;
            count += first.len() - one;
        }
    }
    count
}

/// Moves everything towards its neighbours, layer by layer, as near as the order allows.
fn straighten(items: &mut [Item], order: &[Vec<usize>]) {
    for layer in order {
        let mut y = 0.0;
        for item in layer {
            items[*item].y = y;
            y += items[*item].height + gap(items, *item);
        }
    }
    for round in 0..STRAIGHTENINGS {
        let forward = round % 2 == 0;
        let layers: Vec<usize> = if forward { (0..order.len()).collect() } else { (0..order.len()).rev().collect() };
        for layer in layers {
            // Both sides pull; in the last rounds the side that a reader comes from pulls alone.
            let both = round < STRAIGHTENINGS - 4;
            let wanted = order[layer].iter().map(|item| {
                let near = &items[*item];
                let left = near.left.iter().map(|(other, here, there)| items[*other].y + there - here);
                let right = near.right.iter().map(|(other, here, there)| items[*other].y + there - here);
                let pulls: Vec<f64> = match (both, near.left.is_empty()) {
                    (true, _) => left.chain(right).collect(),
                    (false, false) => left.collect(),
                    (false, true) => right.collect(),
                };
                let mean = if pulls.is_empty() { near.y } else { pulls.iter().sum::<f64>() / pulls.len() as f64 };
                // Lines that pass should be straight: they count for more.
                (mean, if near.node.is_none() { 4.0 } else { 1.0 })
            });
            let wanted: Vec<(f64, f64)> = wanted.collect();
            let room: Vec<f64> = order[layer].iter().map(|item| items[*item].height + gap(items, *item)).collect();
            for (item, y) in order[layer].iter().zip(spread(&wanted, &room)) {
                items[*item].y = y;
            }
        }
    }
}

/// Bands in which nothing stands, all across the picture, become narrow.
fn close_gaps(items: &mut [Item]) {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by(|one, other| items[*one].y.total_cmp(&items[*other].y));
    let (mut low, mut shift) = (f64::INFINITY, 0.0);
    for item in order {
        let item = &mut items[item];
        shift += (item.y - low - BAND).max(0.0);
        low = if low.is_finite() { low.max(item.y + item.height) } else { item.y + item.height };
        item.y -= shift;
    }
}

fn gap(items: &[Item], item: usize) -> f64 {
    if items[item].node.is_some() { APART } else { 2.0 }
}

/// The places nearest to the wanted ones (value, weight) that keep the order and leave each its room: isotonic
/// regression by pooling adjacent violators (Barlow et al. 1972).
fn spread(wanted: &[(f64, f64)], room: &[f64]) -> Vec<f64> {
    let mut offset = 0.0;
    let mut offsets = Vec::with_capacity(wanted.len());
    for room in room {
        offsets.push(offset);
        offset += room;
    }
    // (sum of weighted values, sum of weights, how many)
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    for ((value, weight), offset) in wanted.iter().zip(&offsets) {
        pools.push(((value - offset) * weight, *weight, 1));
        while let [.., (one, one_weight, _), (other, other_weight, _)] = pools.as_slice()
            && one / one_weight > other / other_weight
        {
            let (sum, weight, count) = pools.pop().expect("two were there");
            let last = pools.last_mut().expect("one is left");
            *last = (last.0 + sum, last.1 + weight, last.2 + count);
        }
    }
    let values = pools.iter().flat_map(|(sum, weight, count)| std::iter::repeat_n(sum / weight, *count));
    values.zip(offsets).map(|(value, offset)| value + offset).collect()
}

/// How wide a text is at most, in pixels: by the letters of DejaVu Sans, the widest that programs fall back on.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    let width = |letter: char| match letter {
        'i' | 'l' | 'j' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' => 0.34,
        't' | 'f' | 'r' | '(' | ')' | '[' | ']' | '-' | '‹' | '›' => 0.42,
        'm' | 'w' | 'M' | 'W' | '@' | '—' | '…' | '→' | '↪' | '%' => 1.0,
        letter if letter.is_uppercase() => 0.76,
        letter if u32::from(letter) >= 0x1100 && !('\u{2000}'..='\u{206f}').contains(&letter) => 1.02,
        _ => 0.64,
    };
    text.chars().map(width).sum::<f64>() * size
}

/// A text in lines no wider than that, at most so many; what does not fit ends in `…`.
pub(super) fn broken(text: &str, width: f64, size: f64, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    // Words are kept whole, letters of East Asia break anywhere.
    let mut words: Vec<String> = Vec::new();
    for letter in text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }) {
        let wide = u32::from(letter) >= 0x2e80;
        match words.last_mut() {
            Some(word)
                if !wide && letter != ' ' && !word.ends_with(' ') && !word.ends_with(|c| u32::from(c) >= 0x2e80) =>
            {
                word.push(letter);
            }
            Some(word) if letter == ' ' => word.push(' '),
            _ if letter == ' ' => {}
            _ => words.push(letter.to_string()),
        }
    }
    for word in words {
        if !line.is_empty() && text_width(&line, size) + text_width(word.trim_end(), size) > width {
            lines.push(std::mem::take(&mut line));
        }
        line.push_str(&word);
    }
    lines.push(line);
    let mut lines: Vec<String> =
        lines.iter().map(|line| fitting(line.trim(), width, size)).filter(|line| !line.is_empty()).collect();
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            *last = fitting(&format!("{last} ……"), width, size).trim_end_matches('…').trim_end().to_owned() + "…";
        }
    }
    lines
}

/// A text no wider than that; cut, with `…`, where it is.
pub(super) fn fitting(text: &str, width: f64, size: f64) -> String {
    if text_width(text, size) <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    for letter in text.chars() {
        if text_width(&kept, size) + text_width(&letter.to_string(), size) + size > width {
            break;
        }
        kept.push(letter);
    }
    kept.trim_end().to_owned() + "…"
}

#[cfg(test)]
mod tests {
    use super::super::model::tests::large;
    use super::*;

    fn overlap(one: &Placed, other: &Placed) -> bool {
        one.x < other.x + other.width
            && other.x < one.x + one.width
            && one.y < other.y + other.height
            && other.y < one.y + one.height
    }

    #[test]
    fn nothing_stands_on_anything_and_no_line_runs_through_a_box() {
        for (steps, figures) in [(1, false), (7, true), (60, false), (60, true), (150, false)] {
            let graph = large(steps);
            let layout = layout(&graph, figures);
            for (place, one) in layout.boxes.iter().enumerate() {
                for (other_place, other) in layout.boxes.iter().enumerate().skip(place + 1) {
                    let names = (&graph.nodes[place].name, &graph.nodes[other_place].name);
                    assert!(!overlap(one, other), "{steps}: {names:?} {one:?} {other:?}");
                }
                let inside = one.x >= 0.0 && one.y >= TITLE && one.x + one.width <= layout.width;
                assert!(inside && one.y + one.height <= layout.height, "{one:?}");
            }
            for wire in &layout.wires {
                for pair in wire.points.windows(2).skip(1).step_by(2) {
                    let [(x, y), (end, same)] = pair else { panic!("two points") };
                    assert_eq!(y, same, "level across a layer");
                    let through = layout
                        .boxes
                        .iter()
                        .find(|placed| placed.x == *x && placed.y < *y && *y < placed.y + placed.height);
                    assert!(through.is_none() || *end == *x, "{steps}: a line runs through {through:?}");
                }
                assert!(wire.points.windows(2).all(|pair| pair[0].0 <= pair[1].0), "lines lead on: {wire:?}");
            }
        }
    }

    #[test]
    fn ordering_undoes_crossings_that_it_can() {
        // a → d, b → c drawn as a, b before c, d: one crossing, or none.
        let item = |layer| Item { layer, height: 10.0, node: Some(0), left: Vec::new(), right: Vec::new(), y: 0.0 };
        let mut items = vec![item(0), item(0), item(1), item(1)];
        join(&mut items, (0, 5.0), (3, 5.0));
        join(&mut items, (1, 5.0), (2, 5.0));
        let mut order = vec![vec![0, 1], vec![2, 3]];
        let crossed = |order: &[Vec<usize>]| {
            let mut place = vec![0.0; 4];
            order.iter().for_each(|layer| number(layer, &mut place));
            crossings(&items, order, &place)
        };
        assert_eq!(crossed(&order), 1);
        sort(&items, &mut order);
        assert_eq!(crossed(&order), 0);
        for (ends, pairs) in
            [(vec![], 0), (vec![1.0, 1.0, 2.0], 0), (vec![3.0, 2.0, 1.0], 3), (vec![2.0, 1.0, 2.0, 0.0], 4)]
        {
            assert_eq!(turned(&mut ends.clone()), pairs, "{ends:?}");
        }
    }

    #[test]
    fn empty_bands_become_narrow_and_all_else_keeps_its_distance() {
        let item = |y| Item { layer: 0, height: 10.0, node: Some(0), left: Vec::new(), right: Vec::new(), y };
        let mut items = vec![item(500.0), item(0.0), item(30.0), item(505.0), item(900.0)];
        close_gaps(&mut items);
        let places: Vec<f64> = items.iter().map(|item| item.y).collect();
        assert_eq!(places, [40.0 + BAND, 0.0, 30.0, 45.0 + BAND, 55.0 + 2.0 * BAND]);
    }

    #[test]
    fn what_is_spread_keeps_its_order_its_room_and_its_wish_where_it_can() {
        let places = spread(&[(0.0, 1.0), (100.0, 1.0), (90.0, 1.0)], &[20.0, 20.0, 20.0]);
        assert_eq!(places[0], 0.0);
        assert_eq!((places[1], places[2]), (85.0, 105.0), "two that want the same share the way");
        let heavy = spread(&[(50.0, 1.0), (50.0, 9.0)], &[10.0, 10.0]);
        assert_eq!(heavy, [41.0, 51.0]);
    }

    #[test]
    fn texts_are_broken_and_cut_to_their_room() {
        let lines = broken(
            "This is said at some length, so that it does not fit into one line, nor into two, nor three of them",
            150.0,
            11.0,
            3,
        );
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| text_width(line, 11.0) <= 150.0) && lines[2].ends_with('…'), "{lines:?}");
        assert!(lines[..2].iter().all(|line| !line.ends_with('…')), "only what does not fit is cut: {lines:?}");
        let chinese = broken("您好，欢迎致电示例银行，您正在与自动语音助手通话，本次通话将被录音。", 150.0, 11.0, 9);
        assert!(chinese.len() > 2 && chinese.iter().all(|line| text_width(line, 11.0) <= 150.0), "{chinese:?}");
        assert_eq!(fitting("short", 150.0, 11.0), "short");
        assert!(broken("", 150.0, 11.0, 3).is_empty());
        assert!(text_width(&fitting(&"word".repeat(99), 100.0, 11.0), 11.0) <= 100.0);
    }
}
