// Lets only predictions through that TensorFlow Serving can be trusted with (njs, for nginx.conf).
//
// With batching an empty batch hangs the server, and may end it. An empty list is refused wherever
// it stands: of a field that is there twice, this parser and the server may each read another one.
// In a string, too: to tell strings apart takes seconds for the worst body, in which nobody else is
// served.

/** Returns why a body is refused, or null. */
function fault(text) {
    let body;
    try {
        body = JSON.parse(text);
    } catch (error) {
        return 'the body is not JSON';
    }
    if (body === null || typeof body !== 'object' || Array.isArray(body)) {
        return 'the body is not a JSON object';
    }
    if (body.instances === undefined && body.inputs === undefined) {
        return 'the body has neither instances nor inputs';
    }
    if (/\[\s*\]/.test(text)) {
        return 'the body has an empty list: a batch has at least one row';
    }
    return null;
}

function refuse(r, status, message) {
    r.headersOut['Content-Type'] = 'application/json';
    r.return(status, JSON.stringify({ error: message }) + '\n');
}

/** Handles the location of `:predict`. */
function predict(r) {
    if (r.method !== 'POST') {
        r.headersOut.Allow = 'POST';
        return refuse(r, 405, 'POST is the method of a prediction');
    }
    // The server would unpack it unseen.
    const encoding = r.headersIn['Content-Encoding'];
    if (encoding && encoding !== 'identity') {
        return refuse(r, 415, 'send the body uncompressed');
    }
    let text;
    try {
        text = r.requestText || '';
    } catch (error) {
        // Small chunks take more room than what is in them: nginx has put the body into a file.
        return refuse(r, 411, 'send the body with a Content-Length');
    }
    const why = fault(text);
    if (why) {
        return refuse(r, 400, why);
    }
    r.internalRedirect('@serving');
}

export default { predict, fault };
