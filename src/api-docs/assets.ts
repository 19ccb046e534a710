import { text, type Operation } from "./operation.ts";

/** What is the same for all: the page, the client library, the documents. */
export const ASSETS: readonly Operation[] = [
  {
    route: "GET /",
    id: "dashboard",
    summary: "The page that shows topics, subscribers and messages; not with `DASHBOARD=false`",
    needs: "nothing",
    answer: text("text/html", "The page"),
    errors: ["NOT_FOUND"],
  },
  {
    route: "GET /dashboard.js",
    id: "dashboardScript",
    summary: "The page's script",
    needs: "nothing",
    answer: text("text/javascript", "The script"),
    errors: ["NOT_FOUND"],
  },
  {
    route: "GET /dashboard.css",
    id: "dashboardStyle",
    summary: "The page's style",
    needs: "nothing",
    answer: text("text/css", "The style"),
    errors: ["NOT_FOUND"],
  },
  {
    route: "GET /client.js",
    id: "clientLibrary",
    summary: "The client library for browsers, an ES module",
    needs: "nothing",
    answer: text("text/javascript", "The module"),
    errors: [],
  },
  {
    route: "GET /openapi.json",
    id: "openapi",
    summary: "This document",
    needs: "nothing",
    answer: text("application/json", "OpenAPI 3.1"),
    errors: [],
  },
  {
    route: "GET /asyncapi.json",
    id: "asyncapi",
    summary: "The document of the WebSocket protocol",
    needs: "nothing",
    answer: text("application/json", "AsyncAPI 3.0"),
    errors: [],
  },
];
