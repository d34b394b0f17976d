//! Taking the types out of TypeScript: a function of the runner, which needs no script for it.

use std::sync::Arc;

use wasmtime::component::{ComponentExportIndex, TypedFunc};

use super::file::{Language, Script, ScriptFile};
use super::source::{Source, Sources};
use crate::error::{CallError, PrepareError};
use crate::exports::by_itself;
use crate::imports::{Imports, Silent};
use crate::instance::Instance;
use crate::instance::pool::Pool;

type Strip = TypedFunc<(&'static str, &'static str), (Result<String, String>,)>;

/// Returns the files of a script as the runner gets them, those in TypeScript as JavaScript. Blocks.
///
/// # Errors
/// [`PrepareError::Script`] if one is no TypeScript, with its place.
pub(crate) fn sources(
    script: &Script,
    pool: &Pool,
    strip: Option<ComponentExportIndex>,
) -> Result<Sources, PrepareError> {
    let stripper = strip.map(|strip| Stripper { pool, strip });
    let text = |file: &ScriptFile| match (&stripper, Language::of_file(&file.name)) {
        (Some(stripper), Some(Language::TypeScript)) => stripper.strip(file),
        (_, Some(Language::TypeScript | Language::JavaScript | Language::Python) | None) => Ok(file.text.clone()),
    };
    script.files.iter().map(|file| Ok(Source { name: file.name.clone(), text: text(file)? })).collect()
}

/// Instances of the runner, those that have been used with a parser in memory, and where its function is.
struct Stripper<'a> {
    pool: &'a Pool,
    strip: ComponentExportIndex,
}

impl Stripper<'_> {
    fn strip(&self, file: &ScriptFile) -> Result<String, PrepareError> {
        let pick = |instance: &mut Instance| {
            let (_, instance, mut store, _) = instance.parts();
            let function: Result<Strip, _> = instance.get_typed_func(&mut store, self.strip);
            function.map_err(|error| CallError::Trap {
                message: format!("{error:#}"),
                said: String::new(),
                backtrace: String::new(),
            })
        };
        let host: Arc<dyn Imports> = Arc::new(Silent);
        let answer = by_itself(self.pool.call(&host, pick, (file.name.as_str(), file.text.as_str())));
        match answer {
            Ok((Ok(text),)) => Ok(text),
            Ok((Err(reason),)) => Err(PrepareError::Script { reason }),
            Err(error) => Err(PrepareError::Script { reason: format!("{}: {error}", file.name) }),
        }
    }
}
