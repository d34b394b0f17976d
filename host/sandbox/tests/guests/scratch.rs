//! Scratch: speed.
use crate::guest::{ECHO, Guest};
use crate::node::{Notes, prepare, request};
use std::sync::Arc;
use std::time::Instant;
use steward_sandbox::{Call, Imports, Occasion};

#[test]
fn scratch_speed() {
    let module = prepare(&Guest::patch(ECHO));
    let document = format!(r#"{{"a":"{}","n":1,"m":[1,2,3]}}"#, "x".repeat(170));
    for flavor in ["current", "multi"] {
        let runtime = match flavor {
            "current" => tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            _ => tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap(),
        };
        let module = Arc::clone(&module);
        let document = document.clone();
        let task = async move {
            let host: Arc<dyn Imports> = Arc::new(Notes::default());
            let request = request();
            let mut best = f64::MAX;
            let mut all = Vec::new();
            for _ in 0..21 {
                let begun = Instant::now();
                for _ in 0..5000 {
                    let call = Call { occasion: Occasion::Patch, document: document.as_bytes(), request: &request };
                    module.call(call, &host).await.unwrap();
                }
                let took = begun.elapsed().as_secs_f64() * 1e6 / 5000.0;
                best = best.min(took);
                all.push(took);
            }
            all.sort_by(f64::total_cmp);
            (best, all[10])
        };
        let (best, median) = runtime.block_on(async { tokio::spawn(task).await.unwrap() });
        eprintln!("{flavor}: best {best:.3} median {median:.3} us; usage {:?}", module_usage());
    }
    fn module_usage() {}
}
