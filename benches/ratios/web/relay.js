// The page of the relay: ttyd's protocol, and its flow control with its own numbers
// (https://github.com/tsl0922/ttyd/blob/main/html/src/components/app.tsx).
import { FitAddon } from "@xterm/addon-fit";
import { WebglAddon } from "@xterm/addon-webgl";
import { Terminal } from "@xterm/xterm";

const LIMIT = 100000;
const HIGH = 10;
const LOW = 4;

// As many letters of the same kind as ours has, so that both draw the same.
const FONTS = '"JetBrains Mono", "Cascadia Mono", "Fira Code", "DejaVu Sans Mono", Menlo, Consolas, "Liberation Mono", monospace';

const terminal = new Terminal({ cursorBlink: false, fontFamily: FONTS, fontSize: 14, scrollback: 10000 });
const fit = new FitAddon();
terminal.loadAddon(fit);
terminal.open(document.getElementById("terminal"));
try {
  terminal.loadAddon(new WebglAddon());
} catch {
  // Without WebGL it draws elements, as ours does.
}
fit.fit();

const socket = new WebSocket(`ws://${location.host}/ws`, "tty");
socket.binaryType = "arraybuffer";
const encoder = new TextEncoder();
let written = 0;
let pending = 0;
socket.onmessage = (event) => {
  const data = new Uint8Array(event.data).subarray(1);
  written += data.length;
  if (written < LIMIT) {
    terminal.write(data);
    return;
  }
  terminal.write(data, () => {
    pending = Math.max(pending - 1, 0);
    if (pending < LOW) socket.send(encoder.encode("3"));
  });
  pending += 1;
  written = 0;
  if (pending > HIGH) socket.send(encoder.encode("2"));
};
terminal.onData((text) => socket.send(encoder.encode(`0${text}`)));
terminal.onTitleChange((title) => {
  document.title = title;
});
