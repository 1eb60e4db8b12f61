import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
// @ts-expect-error: a plain script, shared with the command line
import { rawWords } from "../scripts/words.mjs";
import en from "@/words/en.json";
import screensEn from "@/words/screens.en.json";
import screensZh from "@/words/screens.zh.json";
import zh from "@/words/zh.json";

type Tree = { [key: string]: string | Tree };

function flat(tree: Tree, prefix = ""): Map<string, string> {
  return new Map(Object.entries(tree).flatMap(([key, value]) => (typeof value === "string" ? [[prefix + key, value] as const] : [...flat(value, `${prefix}${key}.`)])));
}
const chinese = flat({ ...zh, ...screensZh });
const english = flat({ ...en, ...screensEn });
const facts = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();

describe("words", () => {
  test("both languages have the same keys", () => {
    expect([...english.keys()].sort()).toEqual([...chinese.keys()].sort());
  });

  test("none is empty, and both name the same facts", () => {
    for (const [key, text] of chinese) {
      expect(text.trim(), key).not.toBe("");
      expect(english.get(key)?.trim(), key).not.toBe("");
      expect(facts(english.get(key) ?? ""), key).toEqual(facts(text));
    }
  });

  test("English holds no Chinese", () => {
    expect([...english].filter(([, text]) => /[\u4e00-\u9fff]/.test(text)).map(([key]) => key)).toEqual([]);
  });
});

test("sentences written into a component are found, code and own names are not", () => {
  const component = (template: string, script = "") => `<script setup lang="ts">${script}</script>\n<template>${template}</template>`;
  expect(rawWords(component("<p>Order confirmed</p>"))).toEqual(["Order confirmed"]);
  expect(rawWords(component('<input placeholder="请输入" />'))).toEqual(['placeholder="请输入"']);
  expect(rawWords(component("<p>{{ say('a.b') }}</p>", 'const text = "确认";'))).toEqual(["确认"]);
  expect(rawWords(component('<p :title="say(\'a.b\')">{{ count }} / {{ all }}</p><b>EN</b>', "// 中文注释\nconst key = 'state.done';"))).toEqual([]);
});

test("no component holds words of its own", () => {
  const root = new URL("../src/", import.meta.url);
  const components = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".vue"));
  expect(components.length).toBeGreaterThan(50);
  expect(components.flatMap((path) => rawWords(readFileSync(new URL(path, root), "utf8")).map((text: string) => `${path}: ${text}`))).toEqual([]);
});
