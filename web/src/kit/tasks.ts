/** Long work this person ordered: exports and orders for many. Read again while something runs, on whatever page. */

import { computed, reactive, ref } from "vue";
import { download, get, order } from "@/api/client";
import { asProblem } from "@/api/problem";
import { say } from "@/words";
import { toast } from "./toasts";

export interface TaskRow {
  id: string;
  kind: "many" | "export";
  title: string;
  state: "waiting" | "running" | "done" | "failed" | "stopped";
  done: number;
  total: number;
  refused: number;
  error: string;
  filename: string;
  made_at: string;
  began_at: string | null;
  ended_at: string | null;
}

export interface TaskResult {
  id: string;
  label: string;
  state: "done" | "refused";
  code?: string;
  detail?: string;
}

export const taskList = reactive<{ rows: TaskRow[]; known: boolean }>({ rows: [], known: false });
/** The panel that shows them. */
export const tasksOpen = ref(false);
export const isOver = (task: TaskRow): boolean => !["waiting", "running"].includes(task.state);
export const runningTasks = computed(() => taskList.rows.filter((task) => !isOver(task)).length);

const waited = new Map<string, (task: TaskRow) => void>();
let timer: ReturnType<typeof setTimeout> | undefined;

export async function readTasks(): Promise<void> {
  clearTimeout(timer);
  try {
    const answer = await get<{ rows: TaskRow[] }>("/api/foundation/tasks");
    taskList.rows = answer.rows;
    taskList.known = true;
  } catch (error) {
    console.warn("tasks could not be read", error);
  }
  for (const task of taskList.rows)
    if (isOver(task) && waited.has(task.id)) {
      const then = waited.get(task.id);
      waited.delete(task.id);
      tell(task);
      then?.(task);
    }
  if (runningTasks.value || waited.size) timer = setTimeout(() => void readTasks(), document.visibilityState === "visible" ? 700 : 3000);
}

/** Look after a task that was just ordered; `then` is called when it is over, if this page still stands. */
export function watchTask(id: string, then: (task: TaskRow) => void = () => undefined): void {
  waited.set(id, then);
  void readTasks();
}

function tell(task: TaskRow): void {
  const count = task.done - task.refused;
  if (task.state === "failed") toast.bad(say("tasks.failed", { what: task.title }));
  else if (task.kind === "export" && task.state === "done") toast.good(say("tasks.fileReady", { what: task.title }), { undo: undefined });
  else if (task.refused) toast.bad(say("tasks.someRefused", { what: task.title, count, refused: task.refused }));
  else toast.good(say("tasks.allDone", { what: task.title, count }));
}

export async function fetchFile(task: TaskRow): Promise<void> {
  try {
    await download(`/api/foundation/tasks/${task.id}/file`, {}, task.filename);
  } catch (error) {
    toast.problem(asProblem(error));
  }
}

export async function stopTask(task: TaskRow): Promise<void> {
  try {
    await order("foundation.stop_task", { task: task.id });
    await readTasks();
  } catch (error) {
    toast.problem(asProblem(error));
  }
}

export const resultsOf = (id: string): Promise<TaskRow & { results: TaskResult[] }> => get(`/api/foundation/tasks/${id}`);

/** Somebody else is signed in now. */
export function forgetTasks(): void {
  clearTimeout(timer);
  waited.clear();
  taskList.rows = [];
  taskList.known = false;
}
