//! The checks that the registry cannot make: whether the path is free for services, whether the schema can be used, and
//! whether the stored documents stay readable.

use steward_model::Link;
use steward_model::service::Descriptor;

use super::deployments::Deployments;
use super::error::Error;
use crate::service::{Schema, reserved};

impl Deployments {
    /// Checks what the registry does not know: whose the path is, whether the schema can be used, and whether every stored
    /// document stays readable.
    pub(super) async fn check(&self, path: &Link, descriptor: &Descriptor) -> Result<(), Error> {
        if let Some(reason) = reserved(path) {
            return Err(Error::Reserved { path: path.clone(), reason });
        }
        Schema::compile(&descriptor.state_schema)?;
        self.check_readable(path, descriptor).await
    }
}
