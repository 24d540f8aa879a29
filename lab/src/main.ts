/** The page of the lab. */
import { mount } from "svelte";
import App from "./App.svelte";
// oxlint-disable-next-line import/no-unassigned-import
import "./lab.css";

const target = document.getElementById("lab");
if (target) mount(App, { target });
