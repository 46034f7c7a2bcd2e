// Runs in the browser: shows the document of this very server, so that what is tried is sent here.

/* global document, matchMedia, SwaggerUIBundle */

const root = new URL('..', document.currentScript.src);

/** Swagger UI has its dark colours under a class of the root element. */
const dark = matchMedia('(prefers-color-scheme: dark)');
const followSystem = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
dark.addEventListener('change', followSystem);
followSystem();

document.getElementById('base').textContent = new URL('v1', root).href;
void show(document.getElementById('api'));

/** @param {HTMLElement} domNode */
async function show(domNode) {
  try {
    const answer = await fetch(new URL('openapi.json', root));
    if (!answer.ok) throw new Error(`the server answered with status ${answer.status}`);
    const spec = await answer.json();
    // The document names the default address; behind another port, host or path it is this one.
    spec.servers = [{ url: root.href.replace(/\/$/, '') }];
    // Shown as a link to another site otherwise.
    if (spec.info.license) delete spec.info.license.identifier;
    SwaggerUIBundle({
      spec,
      domNode,
      deepLinking: true,
      displayRequestDuration: true,
      tryItOutEnabled: true,
      defaultModelsExpandDepth: 0,
      // Where `x-support` stands.
      showExtensions: true,
      // No badge of an online validator.
      validatorUrl: null,
    });
  } catch (error) {
    const note = document.createElement('p');
    note.className = 'note';
    note.setAttribute('role', 'alert');
    note.textContent = `The API could not be shown: ${error.message}. Is the server running? Then reload this page.`;
    domNode.replaceChildren(note);
  }
}
