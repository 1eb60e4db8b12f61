import { prepareOffline } from "@/offline/offline";
import { registerWorker } from "@/offline/register";
import { start } from "../start";
import App from "./App.vue";
import { routes } from "./routes";

/** The page must open without the network too: what lies in the browser is read before the first question to the server. */
async function open(): Promise<void> {
  await prepareOffline();
  await registerWorker(await start(App, routes, "/phone"));
}

void open();
