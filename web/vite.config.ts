import { fileURLToPath } from "node:url";
import { createHash } from "node:crypto";
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

const heavy = 200_000;

/** The service worker's list of all that terminal and phone load, now or later; its version is what is in them. */
function shellList(): Plugin {
  return {
    name: "lianzao-shell-list",
    enforce: "post",
    generateBundle(_options, bundle) {
      const worker = bundle["sw.js"];
      if (worker?.type !== "chunk") return;
      const files = new Set(["assets/mark.svg"]);
      const reach = (name: string): void => {
        const chunk = bundle[name];
        // What is heavy and comes late (charts) is fetched when it is wanted, not stored on every device.
        if (chunk?.type !== "chunk" || files.has(name) || (chunk.isDynamicEntry && chunk.code.length > heavy)) return;
        files.add(name);
        for (const sheet of chunk.viteMetadata?.importedCss ?? []) files.add(sheet);
        for (const asset of chunk.viteMetadata?.importedAssets ?? []) files.add(asset);
        for (const next of [...chunk.imports, ...chunk.dynamicImports]) reach(next);
      };
      for (const chunk of Object.values(bundle)) if (chunk.type === "chunk" && /(terminal|phone)\.html$/.test(chunk.facadeModuleId ?? "")) reach(chunk.fileName);
      for (const name of Object.keys(bundle)) if (/^assets\/worker-.*\.js$/.test(name)) files.add(name);
      const hash = createHash("sha256");
      for (const name of ["terminal.html", "phone.html", ...[...files].sort()]) hash.update(name).update(String(bundle[name]?.type === "asset" ? bundle[name].source : ""));
      const shell = { version: hash.update(worker.code).digest("hex").slice(0, 16), files: [...files].sort().map((name) => `/${name}`) };
      worker.code = `globalThis.__SHELL__=${JSON.stringify(shell)};\n${worker.code}`;
    },
  };
}

const backend = process.env.LIANZAO_BACKEND ?? "http://127.0.0.1:8000";
const live = process.env.LIANZAO_LIVE ?? backend;
const proxy = { "/api": { target: backend }, "/live": { target: live } };

export default defineConfig({
  base: "/",
  appType: "mpa",
  plugins: [vue(), historyFallback(), shellList()],
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
    rolldownOptions: { input: { ...Object.fromEntries(entries.map((name) => [name, here(`./${name}.html`)])), sw: here("./src/offline/sw.ts") }, output: { entryFileNames: (chunk) => (chunk.name === "sw" ? "sw.js" : "assets/[name]-[hash].js") } },
  },
  worker: { format: "es" },
  server: { port: 5173, proxy },
  preview: { port: 4173, proxy },
});
