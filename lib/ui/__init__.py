"""The only part of lib that knows Streamlit: page frame, identity, sidebar, and one set of draw_* functions."""
