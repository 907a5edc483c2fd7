//! Much data, and readers that do not read.

use super::*;

/// The case that russh's own flow control blocks on: both directions full, nobody reading at first.
#[tokio::test]
async fn much_data_both_ways_neither_blocks_nor_gets_lost() {
    const BLOCK: usize = 1 << 20;
    const BLOCKS: usize = 24;
    let (_handle, channel) = session().await;
    channel.exec(true, "cat").await.unwrap();
    let (mut from, to) = channel.split();
    let sending = tokio::spawn(async move {
        for number in 0..BLOCKS {
            to.data_bytes(vec![u8::try_from(number).unwrap(); BLOCK])
                .await
                .unwrap();
        }
        to.eof().await.unwrap();
    });
    let receiving = async {
        let (mut count, mut status) = (0, None);
        while let Some(message) = from.wait().await {
            match message {
                ChannelMsg::Data { data } => {
                    for byte in data {
                        assert_eq!(usize::from(byte), count / BLOCK);
                        count += 1;
                    }
                }
                ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
                _ => {}
            }
        }
        (count, status)
    };
    let (count, status) = tokio::time::timeout(Duration::from_secs(120), receiving)
        .await
        .expect("it is stuck");
    sending.await.unwrap();
    assert_eq!((count, status), (BLOCKS * BLOCK, Some(0)));
}

#[tokio::test]
async fn a_stalled_channel_does_not_stop_the_others() {
    let (handle, stalled) = session().await;
    stalled.exec(true, "sleep 1000").await.unwrap();
    // More than the window and the pipe hold; the rest waits for a reader that never comes.
    let flood = tokio::spawn(async move {
        let _ = stalled.data_bytes(vec![0; 8 << 20]).await;
    });
    let mut channel = handle.channel_open_session().await.unwrap();
    channel.exec(true, "echo still here").await.unwrap();
    assert_eq!(all_of(&mut channel).await.out(), "still here\n");
    assert!(!flood.is_finished());
    flood.abort();
}
