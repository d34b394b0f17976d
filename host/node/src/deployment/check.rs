//! The checks that the registry cannot make: whether the path is free for services, whether the schema can be used, whether the
//! states have the fields that are to be indexed, and whether the stored documents stay readable.

use std::ops::Bound;

use steward_model::Link;
use steward_model::service::{Descriptor, IndexField, IndexType};
use steward_query::condition::Condition;
use steward_query::path::Path;
use steward_query::request::Request;
use steward_query::shape::{self, Shape};
use steward_query::value::{Bounds, Number, ValueRange};
use steward_sandbox::Module;

use super::deployments::Deployments;
use super::error::Error;
use crate::service::{Schema, reserved};

impl Deployments {
    /// Checks what the registry does not know: whose the path is, whether the schema can be used, and whether every stored
    /// document stays readable, which is tried on some.
    pub(super) async fn check(&self, path: &Link, module: &Module, descriptor: &Descriptor) -> Result<(), Error> {
        if let Some(reason) = reserved(path) {
            return Err(Error::Reserved { path: path.clone(), reason });
        }
        Schema::compile_within(&descriptor.state_schema, self.bounds.schema_steps_max)?;
        descriptor.index.iter().flatten().try_for_each(|field| indexable(descriptor, field))?;
        self.check_readable(path, descriptor).await?;
        self.tried(path, module, descriptor).await.map(|_| ())
    }
}

/// Checks that states can have a field that the service wants to be found by, with values of the type that it names.
fn indexable(descriptor: &Descriptor, field: &IndexField) -> Result<(), Error> {
    let refused = |reason: String| Error::Index { field: field.path.clone(), reason };
    let path = Path::parse(&field.path).map_err(|error| refused(error.to_string()))?;
    let (below, above) = (Bound::Unbounded, Bound::Unbounded);
    let range = match field.kind {
        IndexType::String => ValueRange::Texts(Bounds { lower: below, upper: above }),
        IndexType::Number => {
            ValueRange::Numbers(Bounds { lower: Bound::Included(Number::Integer(0)), upper: Bound::Unbounded })
        }
        IndexType::Boolean => ValueRange::Boolean(true),
    };
    let request = Request::new(Condition::Within { path, range });
    let shape = Shape::of(&descriptor.state_schema, descriptor.has_strays());
    shape::check(&request, &[shape]).map_err(|error| match error {
        shape::Error::Unknown { .. } => refused(error.to_string()),
        shape::Error::Type { is, .. } => refused(format!("it is {is}")),
        shape::Error::Whole { .. } => refused(error.to_string()),
    })
}
