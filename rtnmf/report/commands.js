// The commands that a page gives: what was found on it, in the words of a shell.

const { dataset } = document.body;

function quoted(word) {
  return /^[\w@%+=:,.\/-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`;
}

function shell(...words) {
  return words.map(quoted).join(" ");
}

function fileOf(name) {
  return `${name.replace(/[\\/:*?"<>|\s]+/g, "-").replace(/^[-.]+/, "") || "sound"}.safetensors`;
}

function showCommand(box, lines) {
  box.hidden = !lines.length;
  box.querySelector("code").textContent = lines.join("\n");
  box.querySelector(".copied").textContent = "";
}

// A page in a frame, or from a disk, may be refused the clipboard: then the selection is copied, or left to the user.
async function copy(box) {
  const code = box.querySelector("code");
  const copied = box.querySelector(".copied");
  try {
    await navigator.clipboard.writeText(code.textContent);
    copied.textContent = "Copied.";
  } catch {
    getSelection().selectAllChildren(code);
    copied.textContent = document.execCommand("copy") ? "Copied." : "Press Ctrl+C to copy.";
  }
}

// Ticked sources get a name, and the page gives the command.
function connectNaming(root, desk) {
  const groups = new Map();
  const field = root.querySelector(".name");
  const list = root.querySelector(".named");
  const sources = JSON.parse(dataset.sources);
  const picks = [...document.querySelectorAll(".pick")];
  const word = (source) => {
    const number = /^component-(\d+)$/.exec(source)?.[1];
    return number && !sources.includes(number) ? number : source.replaceAll(",", "\\,");
  };
  function show() {
    list.replaceChildren(
      ...[...groups].map(([name, members]) => {
        const item = document.createElement("li");
        const remove = document.createElement("button");
        remove.textContent = "Undo";
        remove.setAttribute("aria-label", `undo ${name}`);
        remove.addEventListener("click", () => {
          groups.delete(name);
          show();
        });
        item.append(`${name}: ${members.join(", ")}`, remove);
        return item;
      }),
    );
    const words = [...groups].map(([name, members]) => `${name}=${members.map(word).join(",")}`);
    const lines = JSON.parse(dataset.learn).length ? [shell(...JSON.parse(dataset.learn))] : [];
    lines.push(shell("rtnmf", "name", dataset.dictionary, ...words, "-o", "named.safetensors"));
    showCommand(root.querySelector(".command"), groups.size ? lines : []);
  }
  function add() {
    const name = field.value.trim();
    const members = picks.filter((pick) => pick.checked).map((pick) => pick.value);
    if (!name) return field.focus();
    if (!members.length) return picks[0].focus();
    for (const [other, theirs] of groups) {
      const left = theirs.filter((source) => !members.includes(source));
      if (left.length) groups.set(other, left);
      else groups.delete(other);
    }
    groups.set(name, members);
    for (const pick of picks) pick.checked = false;
    field.value = "";
    return show();
  }
  root.querySelector(".add").addEventListener("click", add);
  field.addEventListener("keydown", (event) => event.key === "Enter" && add());
  root.querySelector(".hear-picked")?.addEventListener("click", () => {
    const names = picks.filter((pick) => pick.checked).map((pick) => pick.value);
    const strips = desk.strips.filter((strip) => names.includes(strip.dataset.name));
    if (strips.length) desk.hearOnly(strips.map((strip) => strip.dataset.sound));
  });
  for (const pick of picks) pick.disabled = false;
  root.hidden = false;
}
