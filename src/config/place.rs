//! Where in the file a setting stands, for whoever has to change it.

use toml_edit::{ImDocument, Item, TableLike};

/// Line and column, from 1, of what `path` names (`["peer", "1", "addresses", "0"]`): the key, the header of a section,
/// or the element of a list. `None` where it is not written in this text.
pub(super) fn place_of(text: &str, path: &[impl AsRef<str>]) -> Option<(usize, usize)> {
    let document = ImDocument::parse(text).ok()?;
    let at = find(document.as_table(), path)?;
    let before = text.get(..at)?;
    let line_begins = before.rfind('\n').map_or(0, |newline| newline + 1);
    Some((before.matches('\n').count() + 1, before[line_begins..].chars().count() + 1))
}

fn find(table: &dyn TableLike, path: &[impl AsRef<str>]) -> Option<usize> {
    let (key, rest) = path.split_first()?;
    let (written, item) = table.get_key_value(key.as_ref())?;
    let Some((next, further)) = rest.split_first() else {
        // A section has its header, everything else its key.
        let header = item.as_table().and_then(|table| table.span());
        return header.or_else(|| written.span()).map(|span| span.start);
    };
    match item {
        Item::ArrayOfTables(sections) => {
            let section = sections.get(next.as_ref().parse().ok()?)?;
            match further {
                [] => section.span().map(|span| span.start),
                _ => find(section, further),
            }
        }
        Item::Value(value) if value.is_array() => {
            let element = value.as_array()?.get(next.as_ref().parse().ok()?)?;
            element.span().map(|span| span.start)
        }
        other => find(other.as_table_like()?, rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sections_and_elements_are_found_where_they_are_written() {
        let text = "max_call = \"1h\"\n[sip]\n  listen = \"x\"\n[[peer]]\nname = \"é\"\n[[peer]]\naddresses = [\"a\",\n  \"b\"]\n\
                    [rtp]\ntimeout = 1\n";
        for (path, expect) in [
            ("max_call", Some((1, 1))),
            ("sip.listen", Some((3, 3))),
            ("sip", Some((2, 1))),
            ("peer.1", Some((6, 1))),
            ("peer.0.name", Some((5, 1))),
            ("peer.1.addresses", Some((7, 1))),
            ("peer.1.addresses.1", Some((8, 3))),
            ("rtp.timeout", Some((10, 1))),
            ("rtp.ports", None),
            ("peer.7", None),
            ("nothing.here", None),
        ] {
            let path: Vec<&str> = path.split('.').collect();
            assert_eq!(place_of(text, &path), expect, "{path:?}");
        }
        assert_eq!(place_of("no toml", &["sip"]), None);
    }
}
