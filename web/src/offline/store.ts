/** Where a terminal keeps things over a reload: the stay's key, sealed orders, sealed last answers. */

import { openDB, type DBSchema } from "idb";
import type { Stay } from "./seal";

/** An order that waits. What it says is sealed; only whose stay it was made in, and its place in the row, are not. */
export interface KeptRow {
  id: string;
  sequence: number;
  pass: string;
  person: string;
  sealed: string;
  /** `stuck`: the server cannot take it, and asking again is worth little; `filed`: refused, and before a person now. */
  state: "waiting" | "stuck" | "filed";
  /** How often it was sent; how often the server was at fault. */
  tries: number;
  faults: number;
  /** Of a filed one: the number of the paper, and why. */
  number?: string;
  code?: string;
}

export interface ReadRow {
  name: string;
  sealed: string;
  at: number;
}

export interface Store {
  stay(): Promise<Stay | null>;
  keepStay(stay: Stay): Promise<void>;
  rows(): Promise<KeptRow[]>;
  put(row: KeptRow): Promise<void>;
  drop(id: string): Promise<void>;
  read(name: string): Promise<ReadRow | null>;
  putRead(row: ReadRow): Promise<void>;
  /** The person leaves: the key, all last answers, and what is only told to this person go. Sealed orders stay. */
  forget(): Promise<void>;
}

interface Schema extends DBSchema {
  stay: { key: string; value: Stay };
  kept: { key: string; value: KeptRow };
  reads: { key: string; value: ReadRow };
}

export function openStore(): Store {
  const db = openDB<Schema>("lianzao", 1, {
    upgrade(made) {
      made.createObjectStore("stay");
      made.createObjectStore("kept", { keyPath: "id" });
      made.createObjectStore("reads", { keyPath: "name" });
    },
  });
  return {
    stay: async () => (await (await db).get("stay", "now")) ?? null,
    keepStay: async (stay) => void (await (await db).put("stay", stay, "now")),
    rows: async () => (await (await db).getAll("kept")).sort((a, b) => a.sequence - b.sequence),
    put: async (row) => void (await (await db).put("kept", row)),
    drop: async (id) => (await db).delete("kept", id),
    read: async (name) => (await (await db).get("reads", name)) ?? null,
    putRead: async (row) => void (await (await db).put("reads", row)),
    forget: async () => {
      const change = (await db).transaction(["stay", "kept", "reads"], "readwrite");
      await change.objectStore("stay").clear();
      await change.objectStore("reads").clear();
      for (let place = await change.objectStore("kept").openCursor(); place; place = await place.continue()) if (place.value.state === "filed") await place.delete();
      await change.done;
    },
  };
}
