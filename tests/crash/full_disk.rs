//! A full disk: updates are refused and none is half done, reads go on, and after space was freed updates are taken
//! without a restart.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use steward_tests::guests::{self, Progress};
use steward_tests::host::Host;
use steward_tests::wait;

/// Long enough for the disk to be full by then.
const EXPIRES_AFTER: Duration = Duration::from_secs(10);

/// A small file system of its own, unmounted at the end.
struct SmallDisk {
    folder: tempfile::TempDir,
    mounted: bool,
}

impl SmallDisk {
    /// Returns the disk, or none where this user may not mount one.
    fn mount(megabytes: u64) -> Option<SmallDisk> {
        let folder = tempfile::tempdir().ok()?;
        let size = format!("size={megabytes}m");
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output().ok()?;
        mount.status.success().then_some(SmallDisk { folder, mounted: true })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if self.mounted {
            // Lazily: a host that is just being killed may still hold files.
            let _ = Command::new("umount").arg("-l").arg(self.folder.path()).output();
        }
    }
}

/// Fills the disk except for `left` bytes, and returns the file to remove.
fn fill(disk: &Path, left: u64) -> PathBuf {
    let path = disk.join("ballast");
    let stat = rustix::fs::statvfs(disk).expect("the disk can be looked at");
    let free = stat.f_bavail * stat.f_frsize;
    let file = std::fs::File::create(&path).expect("a file can be made");
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, free - left).expect("space can be taken");
    path
}

/// Returns a host with counters whose data folder is on the disk.
async fn counters_on(disk: &SmallDisk) -> Host {
    let place = disk.path().to_owned();
    let started = tokio::task::spawn_blocking(move || {
        anyhow::Ok((guests::build(&["counter"], &Progress::hidden())?, Host::start_in(&place, &[])?))
    });
    let (built, host) = started.await.expect("no panic").expect("started");
    host.client().deploy(&std::fs::read(&built[0].path).expect("a built guest"), None).await;
    host
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_updates_and_heals_without_a_restart() {
    let Some(disk) = SmallDisk::mount(512) else {
        eprintln!("this user may not mount a small file system: nothing was proved");
        return;
    };
    let host = counters_on(&disk).await;
    let client = host.client();
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let expires = (now + EXPIRES_AFTER).as_micros() as u64;
    let mortal = json!({ "documentSelfLink": "mortal", "documentExpirationTimeMicros": expires });
    client.post("/core/counters", &mortal).await.expect(201);

    let ballast = fill(disk.path(), 8 * 1024 * 1024);
    let refused = wait::until("updates are refused", || async {
        let answer = client.patch("/core/counters/c", &json!({})).await;
        (answer.status == 507).then_some(answer)
    });
    let problem = refused.await.json();
    assert_eq!(problem["code"], "no-space", "{problem}");
    let before = client.get("/core/counters/c").await.expect(200).json();
    client.post("/core/counters", &json!({ "documentSelfLink": "d" })).await.expect(507);
    assert_eq!(client.get("/core/counters/c").await.expect(200).json(), before);
    client.get("/core/counters").await.expect(200);
    let failed = || async { host.log().contains("expired document could not be removed").then_some(()) };
    wait::until("a document expires that cannot be removed", failed).await;
    client.get("/core/counters/mortal").await.expect(404);

    std::fs::remove_file(ballast).expect("the ballast can be removed");
    wait::until("updates are taken again", || async {
        let answer = client.patch("/core/counters/c", &json!({})).await;
        (answer.status == 200).then_some(())
    })
    .await;
    let after = client.get("/core/counters/c").await.expect(200).json();
    assert_eq!(after["documentVersion"], before["documentVersion"].as_u64().expect("a version") + 1);
    wait::until("the expired document is removed", || async {
        let metrics = client.get("/metrics").await.expect(200);
        (metrics.counted("steward_documents_expired_total") == 1).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_killed_on_a_full_disk_says_what_to_do_and_starts_once_there_is_space() {
    let Some(disk) = SmallDisk::mount(512) else {
        eprintln!("this user may not mount a small file system: nothing was proved");
        return;
    };
    let mut host = counters_on(&disk).await;
    host.client().post("/core/counters", &json!({ "documentSelfLink": "c", "step": 3 })).await.expect(201);
    host.kill();
    let ballast = fill(disk.path(), 0);
    let data = host.data();
    let folder = data.to_str().expect("UTF-8").to_owned();
    let refused = tokio::task::spawn_blocking(move || {
        let binary = steward_tests::build::steward().expect("the host is built");
        Command::new(binary).args(["start", "--port", "0", "--data", &folder]).output().expect("it runs")
    });
    let refused = refused.await.expect("no panic");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(9), "{said}");
    for part in [
        "error[no-space]",
        &format!("the disk is full that holds the data folder {}", data.display()),
        "hint: free space there, or make it larger, and start again: nothing that was acknowledged is lost",
    ] {
        assert!(said.contains(part), "{said}");
    }
    std::fs::remove_file(ballast).expect("the ballast can be removed");
    tokio::task::block_in_place(|| host.restart()).expect("it starts");
    assert_eq!(host.client().get("/core/counters/c").await.expect(200).json()["step"], 3);
}
