//! A reader that is slow.

use super::*;

/// Counts what is read through it.
struct Counted(UnixStream, Arc<AtomicUsize>);

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.0).poll_read(cx, buffer);
        self.1
            .fetch_add(buffer.filled().len() - before, Ordering::Relaxed);
        polled
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, data)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Nobody reads the output; meanwhile input and events keep coming. Nothing piles up, nothing locks up, and when
/// somebody reads, it all arrives.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_holds_up_the_guest_and_not_the_memory() {
    const OUTPUT: usize = 64 << 20;
    let server = Server::new();
    let (_running, stream, _) = server.start();
    let count = Arc::new(AtomicUsize::new(0));
    let client = Client::connect(Counted(stream, count.clone()), &server.target)
        .await
        .unwrap();
    let (events, received) = mpsc::channel(1);
    let (stdout, mut output) = duplex(4096);
    let input = noise(32 << 20);
    let line = format!("head -c {OUTPUT} /dev/zero");
    let running = client.exec(
        command(&line),
        Io {
            stdin: &input[..],
            stdout,
            stderr: sink(),
        },
        received,
    );
    let flooding = async {
        for cols in 1..2000 {
            if events.send(Event::Resize { cols, rows: 1 }).await.is_err() {
                return;
            }
        }
    };
    let reading = async {
        // Long enough for all of it to arrive, if it were let to.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let arrived = count.load(Ordering::Relaxed);
        assert!(arrived < OUTPUT / 4, "{arrived} bytes were taken in");
        tokio::io::copy(&mut output, &mut sink()).await.unwrap()
    };
    let all = async { tokio::join!(running, flooding, reading) };
    let (exit, (), length) = timeout(LONG, all).await.unwrap();
    assert_eq!((exit.unwrap(), length), (Exit::Status(0), OUTPUT as u64));
}
