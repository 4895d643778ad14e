//! The rule packs that ship.

use std::fs;
use std::path::Path;

use trunkline::law::pack::Pack;
use trunkline::law::read::load;

const FOLDER: &str = "dialplans/rules";

fn shipped() -> Vec<Pack> {
    let mut files: Vec<_> = fs::read_dir(FOLDER).expect("the packs are there").flatten().map(|e| e.path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "yaml"));
    files.sort();
    files
        .iter()
        .map(|file| match load(file) {
            Ok(pack) => {
                assert_eq!(file.file_stem().and_then(|stem| stem.to_str()), Some(pack.name.as_str()), "{file:?}");
                pack
            }
            Err(faults) => panic!("{faults}"),
        })
        .collect()
}

#[test]
fn every_pack_is_sound_and_called_like_its_file() {
    let names: Vec<String> = shipped().into_iter().map(|pack| pack.name).collect();
    assert_eq!(names, ["cn-gbt45251", "eu-ai-act", "house", "uk-ofcom", "us-regf", "us-tcpa"]);
}

#[test]
fn the_readme_says_that_counsel_must_review_them() {
    let readme = fs::read_to_string(Path::new(FOLDER).join("README.md")).expect("there is a README");
    assert!(readme.contains("counsel"), "it must say so plainly");
    for pack in shipped() {
        assert!(readme.contains(&format!("`{}`", pack.name)), "{} is not in the table", pack.name);
    }
}
