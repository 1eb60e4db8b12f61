import { start } from "../start";
import App from "./App.vue";
import { routes } from "./routes";

void start(App, routes, "/portal");
