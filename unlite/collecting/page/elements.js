// Elements of the page, found and made. Texts are set as texts, so that no name can be markup.

export const byId = (id) => document.getElementById(id);

export function element(tag, properties = {}, ...children) {
  const {data = {}, ...own} = properties;
  const made = Object.assign(document.createElement(tag), own);
  Object.assign(made.dataset, data);
  made.append(...children);
  return made;
}

// What went wrong, until something goes right or somebody has read it.
export function notice(text = "") {
  byId("notice").textContent = text;
  byId("notice").hidden = !text;
}

// Calls something that may fail, and says so.
export async function attempt(work) {
  try {
    const made = await work();
    notice();
    return made;
  } catch (error) {
    notice(error.message);
    return undefined;
  }
}
