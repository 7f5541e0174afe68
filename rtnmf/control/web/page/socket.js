// The wire to the server: text is a message, bytes are columns of the spectrograms. It connects again by itself.

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 4000;
const SILENCE_MS = 4000; // meters come thirty times a second: a wire that says nothing for so long is cut

// Where something is: below the page's own address, whose path holds the token, if there is one.
export function address(path) {
  return new URL(path, document.baseURI);
}

export class Connection {
  constructor(hear) {
    this.hear = hear; // functions named as the messages are, and: columns, opened, lost
    this.wait = FIRST_WAIT_MS;
    this.open();
    document.addEventListener("visibilitychange", () => this.tellHidden());
    setInterval(() => this.watch(), 1000);
  }

  open() {
    const url = address("ws");
    url.protocol = url.protocol.replace("http", "ws");
    this.socket = new WebSocket(url);
    this.socket.binaryType = "arraybuffer";
    this.lastMeters = 0;
    this.socket.onopen = () => {
      this.wait = FIRST_WAIT_MS;
      this.hear.opened();
      if (document.hidden) this.tellHidden();
    };
    this.socket.onmessage = (event) => this.receive(event.data);
    this.socket.onclose = (event) => this.closed();
  }

  receive(data) {
    if (typeof data !== "string") {
      this.hear.columns(new Uint8Array(data));
      return;
    }
    const message = JSON.parse(data);
    if (message.is === "meters") this.lastMeters = performance.now();
    this.hear[message.is]?.(message);
  }

  closed() {
    this.hear.lost();
    setTimeout(() => this.open(), this.wait);
    this.wait = Math.min(LONGEST_WAIT_MS, this.wait * 2);
  }

  get isOpen() {
    return this.socket.readyState === WebSocket.OPEN;
  }

  send(command) {
    if (this.isOpen) this.socket.send(JSON.stringify(command));
  }

  tellHidden() {
    this.lastMeters = 0;
    this.send({ is: "hidden", on: document.hidden });
  }

  // A telephone out of reach of its network is told of a cut wire only after minutes.
  watch() {
    if (!this.isOpen || document.hidden || !this.lastMeters) return;
    if (performance.now() - this.lastMeters > SILENCE_MS) {
      this.socket.onclose = null;
      this.socket.close();
      this.closed();
    }
  }
}
