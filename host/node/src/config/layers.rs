//! Layers: where the value of a setting comes from. A flag wins over a variable, a variable over the file, the file
//! over the default.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::Error;
use super::file;
pub use super::origin::{Effective, Origin};
use super::settings::{SETTINGS, Setting, VARIABLE_PREFIX};

/// What was given on the command line: settings by key, and the configuration file if one was named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// Values of flags, by key of the setting.
    pub flags: BTreeMap<&'static str, String>,
    /// The configuration file.
    pub file: Option<PathBuf>,
}

/// Returns the value of every setting, in the order of [`SETTINGS`].
///
/// `variables` are those of the environment; the file may also be named there, by `STEWARD_CONFIG`.
///
/// # Errors
/// [`Error`] if the file cannot be read, is no TOML or has a key that is no setting.
pub fn gather(given: &Given, variables: impl Iterator<Item = (String, String)>) -> Result<Vec<Effective>, Error> {
    // An empty variable is an unset one, as `STEWARD_PORT= steward` means to people.
    let variables: BTreeMap<_, _> =
        variables.filter(|(name, value)| name.starts_with(VARIABLE_PREFIX) && !value.is_empty()).collect();
    let named = variables.get(&format!("{VARIABLE_PREFIX}CONFIG")).map(Path::new);
    let from_file = match given.file.as_deref().or(named) {
        Some(path) => file::read(path)?,
        None => BTreeMap::new(),
    };
    let choose = |setting: &'static Setting| {
        if let Some(text) = given.flags.get(setting.key) {
            return Effective { setting, text: text.clone(), origin: Origin::Flag(setting) };
        }
        if let Some(text) = variables.get(&setting.variable()) {
            return Effective { setting, text: text.clone(), origin: Origin::Variable(setting) };
        }
        match from_file.get(setting.key) {
            Some(effective) => effective.clone(),
            None => Effective { setting, text: setting.default.to_owned(), origin: Origin::Default(setting) },
        }
    };
    Ok(SETTINGS.iter().map(choose).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effective(given: &Given, variables: &[(&str, &str)], key: &str) -> Effective {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let all = gather(given, variables).expect("a valid configuration");
        all.into_iter().find(|effective| effective.setting.key == key).expect("a setting")
    }

    #[test]
    fn flag_wins_over_variable_over_file_over_default() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("steward.toml");
        std::fs::write(&path, "# the port\nport = 8002\n").expect("a written file");
        let mut given = Given::default();
        assert_eq!(effective(&given, &[], "port").origin.layer(), "default");
        given.file = Some(path.clone());
        let found = effective(&given, &[], "port");
        assert_eq!((found.text.as_str(), found.origin.layer()), ("8002", format!("file {}:2", path.display())));
        let found = effective(&given, &[("STEWARD_PORT", "8001")], "port");
        assert_eq!((found.text.as_str(), found.origin.layer().as_str()), ("8001", "env STEWARD_PORT"));
        given.flags.insert("port", "8003".to_owned());
        let found = effective(&given, &[("STEWARD_PORT", "8001")], "port");
        assert_eq!((found.text.as_str(), found.origin.layer().as_str()), ("8003", "flag --port"));
    }

    #[test]
    fn file_may_be_named_by_the_environment() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("node.toml");
        std::fs::write(&path, "id = 'one'\n").expect("a written file");
        let found = effective(&Given::default(), &[("STEWARD_CONFIG", path.to_str().expect("UTF-8"))], "id");
        assert_eq!(found.text, "one");
    }

    #[test]
    fn empty_variable_is_an_unset_one() {
        assert_eq!(effective(&Given::default(), &[("STEWARD_PORT", "")], "port").text, "8000");
    }

    #[test]
    fn printed_toml_is_read_back() {
        let given = Given { flags: BTreeMap::from([("cors_origin", "http://a, http://b".to_owned())]), file: None };
        let printed: Vec<_> =
            gather(&given, std::iter::empty()).expect("valid").iter().map(Effective::as_toml).collect();
        let read = file::parse(Path::new("printed"), &printed.join("\n")).expect("valid TOML");
        assert_eq!(read["cors_origin"].text, "http://a,http://b");
        assert_eq!(read["port"].text, "8000");
        assert!(!read.contains_key("id"));
    }
}
