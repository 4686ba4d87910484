"""Stored messages and images -> records."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lib.records import ImageRecord, MessageRecord, Tokens, ToolRequest
from lib.storage.reading.loose import dump_json, to_int, to_list, to_mapping, to_optional_text, to_text, to_time


def to_messages(
    stored: Any,
    *,
    run_id: str | None = None,
    injected_ids: Collection[str] = (),
    taken_over_ids: Collection[str] = (),
) -> tuple[MessageRecord, ...]:
    """Return the messages of a run in stored order; what is not a message is kept as one, with its raw value.

    `injected_ids` names those that were given with the question, `taken_over_ids` those of the run it answers anew.
    """
    messages = (
        to_message(item, run_id=run_id, position=position, injected_ids=injected_ids)
        for position, item in enumerate(to_list(stored))
    )
    return tuple(
        replace(message, taken_over=True)
        if message.message_id in taken_over_ids and not message.from_history
        else message
        for message in messages
    )


def to_message(
    stored: Any, *, run_id: str | None = None, position: int = 0, injected_ids: Collection[str] = ()
) -> MessageRecord:
    """Return one message. A message without an id gets its run and position as one."""
    if not isinstance(stored, Mapping):
        return MessageRecord(
            message_id=f"{run_id}:{position}",
            role="unknown",
            content=to_text(stored),
            run_id=run_id,
            raw={"value": stored},
        )
    return MessageRecord(
        message_id=to_text(stored.get("id")) or f"{run_id}:{position}",
        role=to_text(stored.get("role")) or "unknown",
        content=to_text(stored.get("content")),
        run_id=run_id,
        from_history=stored.get("from_history") is True,
        injected=stored.get("from_history") is not True and to_text(stored.get("id")) in injected_ids,
        tool_requests=to_tool_requests(stored.get("tool_calls")),
        tool_call_id=to_optional_text(stored.get("tool_call_id")),
        tool_name=to_optional_text(stored.get("tool_name")),
        tool_failed=stored.get("tool_call_error") is True,
        compressed=to_optional_text(stored.get("compressed_content")),
        reasoning=to_optional_text(stored.get("reasoning_content") or stored.get("thinking")),
        images=to_images(stored.get("images")),
        tokens=to_tokens(stored.get("metrics")),
        created_at=to_time(stored.get("created_at")),
        raw=stored,
    )


def to_tool_requests(stored: Any) -> tuple[ToolRequest, ...]:
    """Return the tool calls an assistant message asks for."""
    requests = []
    for position, item in enumerate(to_list(stored)):
        call = to_mapping(item)
        function = to_mapping(call.get("function")) or call
        arguments = function.get("arguments")
        requests.append(
            ToolRequest(
                tool_call_id=to_text(call.get("id") or call.get("tool_call_id") or f"call-{position}"),
                tool_name=to_text(function.get("name") or call.get("tool_name")),
                arguments=arguments if isinstance(arguments, str) else dump_json(arguments or {}),
            )
        )
    return tuple(requests)


def to_tokens(metrics: Any) -> Tokens:
    """Return the token counts of stored metrics; Agno leaves out what is zero or was never reported."""
    stored = to_mapping(metrics)
    return Tokens(
        input=to_int(stored.get("input_tokens")),
        output=to_int(stored.get("output_tokens")),
        total=to_int(stored.get("total_tokens")),
    )


def to_images(stored: Any) -> tuple[ImageRecord, ...]:
    """Return where the images are; their bytes, where stored inline, stay in the raw message."""
    return tuple(to_image(item, position=position) for position, item in enumerate(to_list(stored)))


def to_image(stored: Any, *, position: int = 0) -> ImageRecord:
    """Return one image."""
    image = to_mapping(stored)
    reference = to_mapping(image.get("media_reference"))
    content = image.get("content")
    size = to_int(reference.get("size") or reference.get("size_bytes"))
    if size is None and isinstance(content, str | Sequence):
        size = len(content) * 3 // 4 if isinstance(content, str) else len(content)  # base64
    return ImageRecord(
        image_id=to_text(image.get("id") or reference.get("media_id")) or f"image-{position}",
        mime_type=to_optional_text(image.get("mime_type") or reference.get("mime_type")),
        name=to_optional_text(
            image.get("name") or image.get("filename") or reference.get("filename") or image.get("filepath")
        ),
        storage_key=to_optional_text(reference.get("storage_key")),
        url=to_optional_text(image.get("url")),
        size_bytes=size,
    )
