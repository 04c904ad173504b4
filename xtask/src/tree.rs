//! The text files of the repository, read once: every rule works on this value, so a test can hand it a tree of two lines.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Folders that hold nothing written by us.
const SKIPPED: [&str; 3] = ["target", ".git", "node_modules"];

/// File name endings that rules look at.
const READ: [&str; 4] = ["rs", "toml", "md", "sh"];

/// Path relative to the repository root (with `/`) → content.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, String>,
    /// Every path that exists, also of files that are not read: links may point there.
    paths: std::collections::BTreeSet<String>,
}

impl Tree {
    /// Reads everything below `root`.
    pub(crate) fn read(root: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        tree.read_folder(root, "")?;
        Ok(tree)
    }

    /// A tree made of literal files, for the rules' own tests.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, content) in files {
            tree.files.insert((*path).to_owned(), (*content).to_owned());
            tree.paths.insert((*path).to_owned());
        }
        tree
    }

    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    /// Files whose name ends in `.extension`, in the order of their paths.
    pub(crate) fn ending<'a>(&'a self, extension: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files
            .iter()
            .filter(move |(path, _)| path.rsplit('.').next() == Some(extension))
            .map(|(path, content)| (path.as_str(), content.as_str()))
    }

    pub(crate) fn file(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Whether a file or folder of that path is in the repository.
    pub(crate) fn exists(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        path.is_empty()
            || self.paths.contains(path)
            || self.paths.range(folder.clone()..).next().is_some_and(|next| next.starts_with(&folder))
    }

    fn read_folder(&mut self, folder: &Path, prefix: &str) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
            let kind = entry.file_type()?;
            if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
                self.read_folder(&entry.path(), &path)?;
            } else if kind.is_file() {
                let extension = name.rsplit('.').next().unwrap_or_default();
                if READ.contains(&extension) {
                    self.files.insert(path.clone(), fs::read_to_string(entry.path())?);
                }
                self.paths.insert(path);
            }
        }
        Ok(())
    }
}

/// The repository root: the parent of this crate's folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or_else(|| Path::new(".")).to_owned()
}
