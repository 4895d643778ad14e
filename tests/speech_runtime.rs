//! A machine whose speech runtime is missing or broken: the process goes on, and says what to do. In a process of
//! its own, because the runtime is loaded once per process.

use std::path::Path;

use trunkline::language::Language;
use trunkline::speech::RecognizeError;
use trunkline::speech::engines::Engines;
use trunkline::speech::models::{Manifest, ModelDirs};

/// A folder with the real weights and whatever runtime `library` holds.
fn models_with(library: &[u8], real: &ModelDirs) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let manifest = Manifest::load(None).expect("the built-in list is whole");
    let model = manifest.get("moonshine-tiny-en").expect("it lists the English model");
    for file in &model.file {
        let path = folder.path().join(&file.path);
        std::fs::create_dir_all(path.parent().expect("inside a folder")).expect("can create folders");
        let from = real.find(&file.path).expect("the real model is here");
        std::os::unix::fs::symlink(from, path).expect("can link");
    }
    let runtime = folder.path().join("onnxruntime");
    std::fs::create_dir_all(&runtime).expect("can create folders");
    std::fs::write(runtime.join("libonnxruntime.so"), library).expect("can write");
    folder
}

fn open(dirs: &ModelDirs) -> Result<(), RecognizeError> {
    let engines = Engines::auto(dirs);
    let place = engines.choose(&Language::english())?;
    engines.installed()[place].open().map(drop)
}

/// A shared library, but of something else entirely.
fn other_library() -> Option<Vec<u8>> {
    let folders = ["/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/usr/lib64", "/lib64"];
    folders.iter().find_map(|folder| std::fs::read(Path::new(folder).join("libm.so.6")).ok())
}

#[test]
fn a_broken_runtime_is_a_sentence_and_a_repaired_one_works_without_a_restart() {
    let real = ModelDirs::from_env();
    if std::env::var_os("TRUNKLINE_MODELS").is_none() || open_files_missing(&real) {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "the English model or the runtime is missing");
        println!("skipped: the English model or the runtime is missing");
        return;
    }
    let mut broken = vec![b"this is no library".to_vec(), Vec::new()];
    broken.extend(other_library());
    for library in broken {
        let folder = models_with(&library, &real);
        let error = open(&ModelDirs::only(folder.path())).expect_err("that is no runtime");
        let RecognizeError::Unavailable(sentence) = error else { panic!("{error:?}") };
        assert!(sentence.contains("libonnxruntime.so") && sentence.contains("scripts/models"), "{sentence}");
    }
    assert_eq!(open(&real), Ok(()));
}

fn open_files_missing(dirs: &ModelDirs) -> bool {
    Engines::auto(dirs).installed().is_empty()
}
