/** A wall: no person, no session, no menu. The device says by its key who it is; without one it asks for the code of a link. */

import { createPinia } from "pinia";
import { createApp } from "vue";
import { configureClient } from "@/api/client";
import { useDevice } from "@/features/screens/device";
import { lineOfDevice } from "@/live/transport";
import { preferences, usePreferences } from "@/session/preferences";
import { installWords, needWords } from "@/words";
import App from "./App.vue";
import "@/tokens/tokens.css";
import "@/tokens/base.css";
import "@/features/screens/wall.css";

async function begin(): Promise<void> {
  const app = createApp(App);
  app.use(createPinia());
  installWords(app);
  needWords("screens");
  const device = useDevice();
  configureClient({ language: () => preferences.language, headers: device.headers, signedOut: () => device.refused() });
  lineOfDevice(device.headers);
  await usePreferences("screen");
  app.mount("#app");
  void device.begin();
}

void begin();
