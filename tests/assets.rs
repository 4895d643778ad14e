//! What `audio/` ships decodes, and is what its README says.

use std::fs;
use std::path::Path;

use trunkline::audio::decode;

#[test]
fn every_prompt_that_ships_decodes_and_is_as_long_as_its_readme_says() {
    let readme = fs::read_to_string("audio/README.md").expect("audio/README.md is there");
    let mut checked = 0;
    for entry in fs::read_dir("audio").expect("audio/ is readable").flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension == "md") {
            continue;
        }
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        let row = readme.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("audio/README.md has no row for {name}"));
        let length: u64 = row
            .split('|')
            .nth(2)
            .and_then(|cell| cell.trim().strip_suffix(" ms"))
            .expect("a length in ms")
            .parse()
            .expect("a number");
        let sound = decode::read(Path::new(&path)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(sound.duration_ms(), length, "{name}");
        assert!(sound.samples.iter().any(|sample| sample.unsigned_abs() > 3_000), "{name} is audible");
        checked += 1;
    }
    assert!(checked >= 2, "audio/ ships prompts");
}

#[test]
fn the_plan_in_the_readme_is_sound() {
    let readme = fs::read_to_string("README.md").expect("README.md is there");
    let plan = readme.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a YAML block");
    let loaded = trunkline::dialplan::load::load_str("README.md", plan).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.plan.name, "corner-shop");
}
