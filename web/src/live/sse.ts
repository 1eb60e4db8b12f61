/** A reader of text/event-stream. The browser's EventSource hides comment pings and cannot resume on a new address; we need both. */

export interface Message {
  id: string;
  event: string;
  data: string;
}

export interface StreamReader {
  feed(chunk: string): void;
}

/** @param onBeat called for every comment and message: the line is alive. */
export function streamReader(onMessage: (message: Message) => void, onBeat: () => void): StreamReader {
  let rest = "";
  let lastId = "";
  let event = "";
  let data: string[] = [];

  function line(text: string): void {
    if (text === "") {
      if (data.length) onMessage({ id: lastId, event: event || "message", data: data.join("\n") });
      event = "";
      data = [];
      return;
    }
    onBeat();
    if (text.startsWith(":")) return;
    const colon = text.indexOf(":");
    const name = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? "" : text.slice(colon + 1).replace(/^ /, "");
    if (name === "data") data.push(value);
    else if (name === "event") event = value;
    else if (name === "id" && !value.includes("\0")) lastId = value;
  }

  return {
    feed(chunk) {
      rest += chunk;
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? "";
      lines.forEach(line);
    },
  };
}
