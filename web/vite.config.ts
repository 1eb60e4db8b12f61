import { fileURLToPath } from "node:url";
import type { IncomingMessage } from "node:http";
import vue from "@vitejs/plugin-vue";
import { defineConfig, type Plugin } from "vite";

const entries = ["office", "terminal", "phone", "portal", "screen"] as const;
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Which entry page answers a path: what Django does in production, for the dev and preview servers. */
function entryOf(path: string): string {
  const first = path.split("/")[1];
  return entries.find((name) => name === first) ?? "office";
}

function historyFallback(): Plugin {
  const rewrite = (request: IncomingMessage, _response: unknown, next: () => void) => {
    const path = (request.url ?? "/").split("?")[0];
    const page = request.headers.accept?.includes("text/html") && !path.split("/").pop()?.includes(".");
    if (page && !/^\/(api|live|assets|@|src|node_modules)/.test(path)) request.url = `/${entryOf(path)}.html`;
    next();
  };
  return {
    name: "lianzao-history-fallback",
    configureServer: (server) => void server.middlewares.use(rewrite),
    configurePreviewServer: (server) => void server.middlewares.use(rewrite),
  };
}

const backend = process.env.LIANZAO_BACKEND ?? "http://127.0.0.1:8000";
const live = process.env.LIANZAO_LIVE ?? backend;
const proxy = { "/api": { target: backend }, "/live": { target: live } };

export default defineConfig({
  base: "/",
  appType: "mpa",
  plugins: [vue(), historyFallback()],
  resolve: { alias: { "@": here("./src") } },
  define: {
    __VUE_OPTIONS_API__: "false",
    __VUE_PROD_DEVTOOLS__: "false",
    __VUE_I18N_FULL_INSTALL__: "false",
    __VUE_I18N_LEGACY_API__: "false",
    __INTLIFY_PROD_DEVTOOLS__: "false",
    __INTLIFY_DROP_MESSAGE_COMPILER__: "false",
  },
  build: {
    target: "es2022",
    assetsDir: "assets",
    manifest: true,
    rolldownOptions: { input: Object.fromEntries(entries.map((name) => [name, here(`./${name}.html`)])) },
  },
  worker: { format: "es" },
  server: { port: 5173, proxy },
  preview: { port: 4173, proxy },
});
