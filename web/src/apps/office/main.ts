import { needWords } from "@/words";
import { start } from "../start";
import App from "./App.vue";
import { routes } from "./routes";

needWords("desk");
void start(App, routes, "/");
