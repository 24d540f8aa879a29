/** Fields of the address of the runs view. It names no run to compute: what it shows was stored. */
import { choice } from "lucid-sam/sam";
import { z } from "zod";

export const runFields = z.strictObject({
  sort: choice(["name", "size"], "name", "what the dropped files are sorted by"),
});
