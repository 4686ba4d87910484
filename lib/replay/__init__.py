"""Reading a run back without running it: records in, views out. Pure: no Agno, no SQL, no Streamlit."""
