// Commands on their way: what a hand moves is sent at most thirty times a second, and its last value always.

const PERIOD_MS = 1000 / 30;

export class Sender {
  constructor(send) {
    this.send = send;
    this.waiting = new Map(); // what is moved -> the command that waits, or null
  }

  now(is, values = {}) {
    this.send({ is, ...values });
  }

  moved(what, is, values) {
    const command = { is, ...values };
    if (this.waiting.has(what)) {
      this.waiting.set(what, command);
      return;
    }
    this.send(command);
    this.pause(what);
  }

  pause(what) {
    this.waiting.set(what, null);
    setTimeout(() => {
      const command = this.waiting.get(what);
      this.waiting.delete(what);
      if (command) {
        this.send(command);
        this.pause(what);
      }
    }, PERIOD_MS);
  }
}
