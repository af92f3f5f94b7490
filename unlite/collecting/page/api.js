// Questions to unlite and what it is told. All addresses are relative: the page's own one holds the secret.

export async function ask(name, query = {}) {
  return answered(await reached(fetch(`${name}?${new URLSearchParams(query)}`)));
}

export async function tell(name, said = {}) {
  return answered(await reached(fetch(name, {method: "POST", body: JSON.stringify(said)})));
}

async function reached(request) {
  try {
    return await request;
  } catch {
    throw new Error("unlite does not answer. Start it again in the terminal, and open the address that it prints");
  }
}

async function answered(response) {
  const text = await response.text();
  if (response.ok) return JSON.parse(text);
  throw new Error(response.headers.get("Content-Type")?.includes("json") ? inWords(JSON.parse(text)) : text.trim());
}

export function inWords({error, hint}) {
  return hint ? `${error}: ${hint}` : error;
}
