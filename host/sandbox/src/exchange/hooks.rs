//! What `wasi:http` asks of its host during a call.

use std::sync::Arc;

use http::uri::Scheme;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::imports::Imports;

/// The work on a connection, which the node does itself.
type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;
/// An answer to a request of a guest.
type Sending = Box<dyn Future<Output = Result<(http::Response<WasiBody>, Io), Error>> + Send>;

/// Most bytes that a guest writes to a body at once.
const PIECE_BYTES_MAX: usize = 64 << 10;

/// Hands the requests of a guest to the node; before a call there is nobody to hand them to.
#[derive(Default)]
pub(crate) struct Hooks {
    host: Option<Arc<dyn Imports>>,
}

impl Hooks {
    /// Lets the guest send by way of `host` from now on.
    pub(crate) fn connect(&mut self, host: Option<Arc<dyn Imports>>) {
        self.host = host;
    }
}

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _response_read: Io,
    ) -> Sending {
        let Some(host) = self.host.clone() else { return Box::new(async { Err(Error::HttpRequestDenied) }) };
        Box::new(async move {
            let limit = options.and_then(|options| Some(options.connect_timeout? + options.first_byte_timeout?));
            let sent = host.send(request);
            let answer = match limit {
                Some(limit) => tokio::time::timeout(limit, sent).await.map_err(|_| Error::HttpResponseTimeout)?,
                None => sent.await,
            };
            Ok((answer?, Box::new(async { Ok(()) }) as Io))
        })
    }

    fn default_scheme(&mut self) -> Option<Scheme> {
        Some(Scheme::HTTP)
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        PIECE_BYTES_MAX
    }
}
