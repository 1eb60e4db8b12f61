/** The shared worker: one live line for all tabs of this browser. */

import { Hub, type Signal, type ToHub } from "./transport";

const ports = new Map<MessagePort, string>();
const hub = new Hub((signal: Signal) => ports.forEach((_tab, port) => port.postMessage(signal)));

addEventListener("connect", (event) => {
  const port = (event as MessageEvent).ports[0];
  ports.set(port, "");
  port.onmessage = (message: MessageEvent<ToHub>) => {
    ports.set(port, message.data.tab);
    hub.take(message.data);
  };
  port.start();
});
