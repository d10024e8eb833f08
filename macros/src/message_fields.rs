//! The fields of a message that serde encodes by the traits of their types, and those among them that
//! can't be sent.

use syn::visit::{self, Visit};
use syn::{
    Attribute, Data, DeriveInput, Error, Field, Fields, PathSegment, Result, Type, TypeBareFn,
    TypeReference, TypeTraitObject,
};

use crate::spell::{spell, spell_owned};

/// The arguments of `#[serde(..)]` by which a field, or a whole type, is encoded in another way than
/// by the traits of the fields' types.
const OTHER_WAYS: [&str; 10] = [
    "skip",
    "skip_serializing",
    "skip_deserializing",
    "with",
    "serialize_with",
    "deserialize_with",
    "from",
    "try_from",
    "into",
    "remote",
];

/// Returns the fields that are encoded by the traits of their types.
pub(crate) fn fields_by_serde(input: &DeriveInput) -> impl Iterator<Item = &Field> {
    let variants: Vec<(&[Attribute], &Fields)> = match &input.data {
        _ if has_other_way(&input.attrs) => Vec::new(),
        Data::Struct(data) => vec![(&[], &data.fields)],
        Data::Enum(data) => {
            data.variants.iter().map(|variant| (&*variant.attrs, &variant.fields)).collect()
        }
        Data::Union(_) => Vec::new(),
    };
    let variants = variants.into_iter().filter(|(attrs, _)| !has_other_way(attrs));
    variants.flat_map(|(_, fields)| fields).filter(|field| !has_other_way(&field.attrs))
}

fn has_other_way(attrs: &[Attribute]) -> bool {
    attrs.iter().filter(|attr| attr.path().is_ident("serde")).any(|attr| {
        let mut found = false;
        // serde reports an invalid attribute itself.
        let _ = attr.parse_nested_meta(|meta| {
            found |= OTHER_WAYS.iter().any(|way| meta.path.is_ident(way));
            if meta.input.peek(syn::Token![=]) {
                meta.value()?.parse::<syn::Expr>()?;
            } else if meta.input.peek(syn::token::Paren) {
                let inside;
                syn::parenthesized!(inside in meta.input);
                inside.parse::<proc_macro2::TokenStream>()?;
            }
            Ok(())
        });
        found
    })
}

/// Refuses a field that contains a reference.
pub(crate) fn check_fields(input: &DeriveInput) -> Result<()> {
    /// The first reference in a type.
    struct Found<'ast>(Option<&'ast TypeReference>);

    impl<'ast> Visit<'ast> for Found<'ast> {
        fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
            self.0.get_or_insert(reference);
        }

        // A `PhantomData` holds nothing.
        fn visit_path_segment(&mut self, segment: &'ast PathSegment) {
            if segment.ident != "PhantomData" {
                visit::visit_path_segment(self, segment);
            }
        }

        // The references in these types are not data.
        fn visit_type_bare_fn(&mut self, _: &'ast TypeBareFn) {}
        fn visit_type_trait_object(&mut self, _: &'ast TypeTraitObject) {}
    }

    for field in fields_by_serde(input) {
        let mut found = Found(None);
        found.visit_type(&field.ty);
        if let Some(reference) = found.0 {
            let text = format!(
                "a message must own its data, since it leaves its sender: write `{}` instead of \
                 `{}`, or `#[fika::message(local)]` if the message stays on this node",
                spell_owned(reference),
                spell(&Type::Reference(reference.clone()))
            );
            return Err(Error::new_spanned(reference, text));
        }
    }
    Ok(())
}
