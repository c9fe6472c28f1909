//! An append seen from beside it: who may look when, and in what portions it is written.

use super::*;

#[tokio::test]
async fn a_follower_has_its_turn_before_the_sync_and_others_only_after_it() {
    let disk = Disk::new();
    let store = disk.open();
    let inbox = inbox(&store, Settings::default());
    let mut written = inbox.watch_written();
    let follower = tokio::spawn({
        let inbox = inbox.clone();
        async move {
            written.wait_for(|seq| *seq == Seq(1)).await.unwrap();
            let seen = inbox.after_written(Seq(0), 10).unwrap().len();
            let others = inbox.after(Seq(0), 10).unwrap().len();
            // Its own commit covers the message as well.
            store.log().commit().await.unwrap();
            (seen, others)
        }
    });
    // Let it wait first.
    tokio::task::yield_now().await;
    inbox.append(&[text(1, "A", "hola")]).await.unwrap();
    assert_eq!(inbox.after(Seq(0), 10).unwrap().len(), 1);
    let (seen, others) = follower.await.unwrap();
    assert_eq!((seen, others), (1, 0));
}

#[tokio::test]
async fn a_long_batch_is_one_append_with_every_message_once() {
    let disk = Disk::new();
    let store = disk.open();
    let inbox = inbox(&store, Settings::default());
    let mut batch: Vec<_> = (0..50).map(|n| text(1, &format!("M{n}"), "cola")).collect();
    batch.push(text(1, "M0", "cola"));
    let appended = inbox.append(&batch).await.unwrap();
    assert_eq!(
        (appended.new, appended.duplicates, appended.last),
        (50, 1, Seq(50))
    );
    assert_eq!(inbox.append(&[]).await.unwrap().last, Seq(50));
}
